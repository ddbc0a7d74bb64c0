/** Which object a command works on, and whether it exists. */
import { IdFactory } from "../../native/addon";
import type { StoredObjects } from "../../native/raw-objects";
import { didYouMean } from "../../shared/nearest";
import { CommandError, UsageError } from "../errors";
import { type Arguments, hint } from "../subcommand";

export interface Address {
  name: string;
  id: string;
}

/** # Errors `UsageError` if the words do not name one object. */
export function addressOf({ words, values }: Arguments, command: string): Address {
  const [name, id] = words;
  const text = values.get("id-from-name");
  if (name === undefined)
    throw new UsageError(`Which object? Give its NAME and ID. ${hint(command)}`);
  if (text !== undefined) {
    if (id === undefined) return { name, id: new IdFactory(name).idFromName(text) };
    throw new UsageError(`--id-from-name and an ID exclude each other. ${hint(command)}`);
  }
  if (id === undefined) {
    throw new UsageError(
      `Which object of ${word(name)}? Give its ID, or --id-from-name. ${hint(command)}`,
    );
  }
  return { name, id: /^[0-9a-f]{64}$/i.test(id) ? id.toLowerCase() : id };
}

/** # Errors `CommandError` if there is no such object. */
export async function checkExists(
  objects: StoredObjects,
  { name, id }: Address,
  place: string,
): Promise<void> {
  if ((await objects.ids(name)).includes(id)) return;
  const meant = await meantName(objects, name);
  throw new CommandError(`There is no object ${word(name)} ${word(id)} in ${place}.${meant}`);
}

/** What to ask if the name of a binding is not that of any object. */
export async function meantName(objects: StoredObjects, name: string | undefined): Promise<string> {
  const names = await objects.names();
  return name === undefined || names.includes(name) ? "" : didYouMean(name, names);
}

/** All objects, or those of a binding. */
export async function* addresses(
  objects: StoredObjects,
  only: string | undefined,
): AsyncGenerator<Address> {
  for (const name of only === undefined ? await objects.names() : [only]) {
    for (const id of await objects.ids(name)) yield { name, id };
  }
}

/** A name, in quotes if it could be taken for several words, or none. */
export function word(name: string): string {
  return /^[\w.:@/-]+$/.test(name) ? name : JSON.stringify(name);
}
