/** What each command of `ferroflare objects` does with the objects of a directory. */

import { inspect } from "node:util";
import {
  decoded,
  type StoredObject,
  type StoredObjects,
  UnreadableValue,
} from "../../native/raw-objects";
import { CommandError, EXEC_NAME, lineOf, UsageError } from "../errors";
import { type Arguments, hint, print } from "../subcommand";
import { type Address, addresses, addressOf, checkExists, word } from "./address";
import { jsonValue } from "./json";
import { printTableLines, showTables } from "./tables";

export async function list(objects: StoredObjects, given: Arguments, place: string): Promise<void> {
  const only = given.values.get("name");
  let any = false;
  for (const name of only === undefined ? await objects.names() : [only]) {
    const alarms = await objects.alarms(name);
    for (const id of await objects.ids(name)) {
      any = true;
      await attempt(`${name} ${id}`, async () => {
        const object = given.flags.has("keys") ? await objects.read(name, id) : undefined;
        const keys = object && [...object.entries].length;
        const alarm = object ? object.alarm : alarms.get(id);
        const called = await objects.called(name, id);
        if (given.flags.has("json")) {
          return print(JSON.stringify({ name, id, called, keys, alarm }));
        }
        const words = [word(name), word(id)];
        if (called !== undefined) words.push(JSON.stringify(called));
        if (keys !== undefined) words.push(keys === 1 ? "1 key" : `${keys} keys`);
        if (alarm !== undefined) words.push(`alarm ${timeOf(alarm)}`);
        return print(words.join(" "));
      });
    }
  }
  if (!any) {
    const what = only === undefined ? "objects" : `objects of ${word(only)}`;
    process.stderr.write(`There are no ${what} in ${place}.\n`);
  }
}

export async function show(objects: StoredObjects, given: Arguments, place: string): Promise<void> {
  const address = addressOf(given, "objects show");
  const object = await existing(objects, address, place);
  if (given.flags.has("json")) return printLines(objects, address, object);
  if (object.alarm !== undefined) await print(`alarm ${timeOf(object.alarm)}`);
  for (const [key, bytes] of object.entries) {
    await print(`${JSON.stringify(key)}: ${shown(bytes)}`);
  }
  await showTables(objects, address);
}

export async function exportLines(
  objects: StoredObjects,
  given: Arguments,
  place: string,
): Promise<void> {
  if (given.words.length === 2 || given.values.has("id-from-name")) {
    const address = addressOf(given, "objects export");
    return printLines(objects, address, await existing(objects, address, place));
  }
  for await (const address of addresses(objects, given.words[0])) {
    await attempt(`${address.name} ${address.id}`, async () =>
      printLines(objects, address, await objects.read(address.name, address.id)),
    );
  }
}

export async function remove(
  objects: StoredObjects,
  given: Arguments,
  place: string,
): Promise<void> {
  if (!given.flags.has("all")) {
    const address = addressOf(given, "objects delete");
    await checkExists(objects, address, place);
    await objects.delete(address.name, address.id);
    return print(`Deleted ${word(address.name)} ${word(address.id)}.`);
  }
  if (given.words.length > 1 || given.values.has("id-from-name")) {
    throw new UsageError(`--all and an ID exclude each other. ${hint("objects delete")}`);
  }
  const all: Address[] = [];
  for await (const address of addresses(objects, given.words[0])) all.push(address);
  const count = all.length === 1 ? "1 object" : `${all.length} objects`;
  if (!given.flags.has("yes")) {
    throw new CommandError(`This would delete ${count} in ${place}. Add --yes to do it.`);
  }
  let deleted = 0;
  for (const { name, id } of all) {
    await attempt(`${name} ${id}`, async () => {
      await objects.delete(name, id);
      deleted++;
    });
  }
  await print(`Deleted ${deleted === all.length ? count : `${deleted} of ${count}`}.`);
}

/** Goes on with the other objects when one fails; the exit code is 1 then. */
async function attempt(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    process.stderr.write(`${EXEC_NAME}: ${what}: ${lineOf(error)}\n`);
    process.exitCode = 1;
  }
}

async function existing(
  objects: StoredObjects,
  address: Address,
  place: string,
): Promise<StoredObject> {
  await checkExists(objects, address, place);
  return objects.read(address.name, address.id);
}

async function printLines(
  objects: StoredObjects,
  address: Address,
  object: StoredObject,
): Promise<void> {
  const { name, id } = address;
  for (const [key, bytes] of object.entries) {
    await print(JSON.stringify({ name, id, key, ...jsonValue(bytes) }));
  }
  if (object.alarm !== undefined) await print(JSON.stringify({ name, id, alarm: object.alarm }));
  await printTableLines(objects, address);
}

function shown(bytes: Buffer): string {
  const value = decoded(bytes);
  if (value instanceof UnreadableValue)
    return `<${bytes.length} bytes that are no value: ${start(bytes)}>`;
  const colors = process.stdout.isTTY && !process.env.NO_COLOR;
  return inspect(value, { colors, depth: null, maxArrayLength: null, maxStringLength: null });
}

function start(bytes: Buffer): string {
  const most = 16;
  return `${bytes.toString("hex", 0, most)}${bytes.length > most ? "..." : ""}`;
}

function timeOf(alarm: number): string {
  const date = new Date(alarm);
  return Number.isNaN(date.getTime()) ? `${alarm}` : date.toISOString();
}
