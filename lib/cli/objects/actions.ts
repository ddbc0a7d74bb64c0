/** What each command of `ferroflare objects` does with the objects of a directory. */

import { inspect } from "node:util";
import {
  decoded,
  type StoredObject,
  type StoredObjects,
  UnreadableValue,
} from "../../native/raw-objects";
import { CommandError, EXEC_NAME, lineOf, UsageError } from "../errors";
import { count, done, isForPeople } from "../look";
import { withProgress } from "../progress";
import { type Arguments, confirmed, hint, print } from "../subcommand";
import { type Address, addresses, addressOf, checkExists, meantName, word } from "./address";
import { jsonValue } from "./json";
import { lineOfRow, type Row, Table } from "./table";
import { printTableLines, showTables } from "./tables";

export async function list(objects: StoredObjects, given: Arguments, place: string): Promise<void> {
  const only = onlyOf(given);
  const names = only === undefined ? await objects.names() : [only];
  const asTable = isForPeople() && !given.flags.has("json");
  const rows = asTable ? new Table(names, given.flags.has("keys")) : undefined;
  let listed = 0;
  for (const name of names) {
    const alarms = await objects.alarms(name);
    for (const id of await objects.ids(name)) {
      listed++;
      await attempt(`${name} ${id}`, async () => {
        const object = given.flags.has("keys") ? await objects.read(name, id) : undefined;
        const keys = object && [...object.entries].length;
        const alarm = object ? object.alarm : alarms.get(id);
        const called = await objects.called(name, id);
        if (given.flags.has("json")) {
          return print(JSON.stringify({ name, id, called, keys, alarm }));
        }
        const row: Row = {
          name: word(name),
          id: word(id),
          called: called && JSON.stringify(called),
          keys: keys === undefined ? undefined : count(keys, "key"),
          alarm: alarm === undefined ? undefined : timeOf(alarm),
        };
        await (rows ? rows.print(row) : print(lineOfRow(row)));
      });
    }
  }
  if (listed === 0) {
    const what = only === undefined ? "objects" : `objects of ${word(only)}`;
    process.stderr.write(`There are no ${what} in ${place}.${await meantName(objects, only)}\n`);
  } else if (rows) await rows.end(listed, place);
}

/** The binding that is asked for, as a word or as an option. */
function onlyOf({ words, values }: Arguments): string | undefined {
  const [name] = words;
  const given = values.get("name");
  if (name !== undefined && given !== undefined && name !== given) {
    throw new UsageError(
      `"${name}" and --name ${given} exclude each other. ${hint("objects list")}`,
    );
  }
  return name ?? given;
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
  let exported = 0;
  const all = async () => {
    for await (const address of addresses(objects, given.words[0])) {
      await attempt(`${address.name} ${address.id}`, async () =>
        printLines(objects, address, await objects.read(address.name, address.id)),
      );
      exported++;
    }
  };
  // On the terminal itself the lines are the progress.
  if (isForPeople()) await all();
  else await withProgress(() => `Exported ${count(exported, "object")}`, all);
}

export async function remove(
  objects: StoredObjects,
  given: Arguments,
  place: string,
): Promise<void> {
  if (!given.flags.has("all")) {
    const address = addressOf(given, "objects delete");
    await checkExists(objects, address, place);
    const shownAddress = `${word(address.name)} ${word(address.id)}`;
    if (!(await mayDelete(`${shownAddress} in ${place}`, given))) return;
    await objects.delete(address.name, address.id);
    return print(done(`Deleted ${shownAddress}.`));
  }
  if (given.words.length > 1 || given.values.has("id-from-name")) {
    throw new UsageError(`--all and an ID exclude each other. ${hint("objects delete")}`);
  }
  const all: Address[] = [];
  for await (const address of addresses(objects, given.words[0])) all.push(address);
  const number = count(all.length, "object");
  if (!given.flags.has("yes") && !process.stdin.isTTY) {
    throw new CommandError(`This would delete ${number} in ${place}. Add --yes to do it.`);
  }
  if (!(await mayDelete(`${number} in ${place}`, given))) return;
  let deleted = 0;
  for (const { name, id } of all) {
    await attempt(`${name} ${id}`, async () => {
      await objects.delete(name, id);
      deleted++;
    });
  }
  await print(done(`Deleted ${deleted === all.length ? number : `${deleted} of ${number}`}.`));
}

/** Asks on a terminal; elsewhere the command line has said it. */
async function mayDelete(what: string, { flags }: Arguments): Promise<boolean> {
  if (flags.has("yes") || !process.stdin.isTTY) return true;
  if (await confirmed(`Delete ${what}?`, "objects delete")) return true;
  await print("Nothing was deleted.");
  return false;
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
