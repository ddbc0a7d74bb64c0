/** Stored objects as lines: for programs one after the other, on a terminal with a header and columns. */
import { EXEC_NAME } from "../errors";
import { bold, count, cyan, dim } from "../look";
import { print } from "../subcommand";
import { word } from "./address";

export interface Row {
  name: string;
  id: string;
  /** What the id was made of, in quotes. */
  called: string | undefined;
  keys: string | undefined;
  alarm: string | undefined;
}

const ID_COLUMNS = 64;
const KEYS_COLUMNS = 9;

export function lineOfRow({ name, id, called, keys, alarm }: Row): string {
  return [name, id, called, keys, alarm && `alarm ${alarm}`]
    .filter((part) => part !== undefined)
    .join(" ");
}

export class Table {
  readonly #columns: number;
  readonly #keys: boolean;
  #last: Row | undefined;

  constructor(names: string[], keys: boolean) {
    this.#columns = Math.max("BINDING".length, ...names.map((name) => word(name).length));
    this.#keys = keys;
  }

  async print(row: Row): Promise<void> {
    if (this.#last === undefined) await print(bold(this.#line("BINDING", "ID", "KEYS", "NAME")));
    this.#last = row;
    const { name, id, keys = "", called = "", alarm } = row;
    const line = this.#line(cyan(name.padEnd(this.#columns)), id, keys, called);
    await print(alarm === undefined ? line : `${line}  ${dim(`alarm ${alarm}`)}`);
  }

  /** Says how many they were, and how to go on. */
  async end(listed: number, place: string): Promise<void> {
    const { name, id, called } = this.#last!;
    const which = called === undefined ? id : `--id-from-name ${called}`;
    await print(`\n${count(listed, "object")} in ${place}. To see what one holds:\n`);
    await print(
      `  ${cyan(`npx ${EXEC_NAME} objects show ${name} ${which} --do-persist ${place}`)}`,
    );
    if (called !== undefined) return;
    await print(dim("\nWhere idFromName() has made the id, --id-from-name NAME stands for it."));
  }

  #line(name: string, id: string, keys: string, called: string): string {
    const parts = [name.padEnd(this.#columns), id.padEnd(ID_COLUMNS)];
    if (this.#keys) parts.push(keys.padEnd(KEYS_COLUMNS));
    return [...parts, called].join("  ").trimEnd();
  }
}
