/** Changes one entry under `overrides:` in the text of a pnpm-workspace.yaml and leaves every other line as it is. */
import { CommandError } from "../errors";
import { newlineOf } from "./json-text";

const INDENT = "  ";

interface Line {
  text: string;
  /** An entry of the overrides. */
  entry?: { key: string; value: string };
}

interface Block {
  /** Index of the line `overrides:`; -1 if there is none. */
  head: number;
  /** Index after the last entry. */
  end: number;
  lines: Line[];
}

/** The overrides of the file, by key. */
export function yamlOverrides(text: string, file: string): Map<string, string> {
  const { lines } = blockOf(text, file);
  return new Map(lines.flatMap(({ entry }) => (entry ? [[entry.key, entry.value]] : [])));
}

/** # Errors `CommandError` if the overrides are written in a way that this module does not change. */
export function withYamlOverride(text: string, key: string, value: string, file: string): string {
  const newline = newlineOf(text);
  const { head, end, lines } = blockOf(text, file);
  const all = lines.map((line) => line.text);
  const at = lines.findIndex(({ entry }) => entry?.key === key);
  const indent = lines.find(({ entry }) => entry)?.text.match(/^\s+/)?.[0] ?? INDENT;
  const line = `${indent}${quoted(key)}: ${quoted(value)}`;
  if (at !== -1) all[at] = line;
  else if (head !== -1) all.splice(end, 0, line);
  else {
    while (all.at(-1) === "") all.pop();
    all.push("overrides:", line, "");
  }
  return all.join(newline);
}

export function withoutYamlOverride(text: string, key: string, file: string): string {
  const { head, lines } = blockOf(text, file);
  const at = lines.findIndex(({ entry }) => entry?.key === key);
  if (at === -1) return text;
  const all = lines.map((line) => line.text);
  all.splice(at, 1);
  if (lines.filter(({ entry }) => entry).length === 1) all.splice(head, 1);
  const rest = all.join(newlineOf(text));
  return rest.trim() === "" ? "" : rest;
}

function blockOf(text: string, file: string): Block {
  const lines: Line[] = text.split(/\r?\n/).map((line) => ({ text: line }));
  const head = lines.findIndex((line) =>
    /^(overrides|"overrides"|'overrides')\s*:/.test(line.text),
  );
  if (head === -1) return { head, end: lines.length, lines };
  const rest = lines[head]!.text.replace(/^[^:]*:\s*/, "").replace(/^#.*/, "");
  if (/^\{\s*\}\s*(#.*)?$/.test(rest)) lines[head]!.text = "overrides:";
  else if (rest !== "") throw unchangeable(file, lines[head]!.text);
  let end = head + 1;
  for (let at = head + 1; at < lines.length; at++) {
    const line = lines[at]!;
    if (/^\s*(#.*)?$/.test(line.text)) continue;
    if (!/^\s/.test(line.text)) break;
    line.entry = entryOf(line.text);
    if (line.entry === undefined) throw unchangeable(file, line.text);
    end = at + 1;
  }
  return { head, end, lines };
}

/** An entry in one line: a plain or quoted key, and a plain or quoted value. */
function entryOf(line: string): { key: string; value: string } | undefined {
  const found =
    /^\s+("[^"]*"|'[^']*'|[^\s"'#{[&*!|>][^\s"']*?)\s*:\s+("[^"]*"|'[^']*'|[^\s"'#{[&*!|>]\S*)\s*(#.*)?$/.exec(
      line,
    );
  if (found === null) return undefined;
  const plain = (text: string) => text.replace(/^(["'])(.*)\1$/, "$2");
  return { key: plain(found[1]!), value: plain(found[2]!) };
}

function unchangeable(file: string, line: string): CommandError {
  return new CommandError(
    `${file} writes its overrides in a way that is not changed automatically (${line.trim()}). Write the entry by hand: see the guide on overrides.`,
  );
}

/** Quoted where a plain scalar may not start, or would not be text. */
function quoted(text: string): string {
  return /^[A-Za-z][\w.\-/@:]*$/.test(text) && !/^(true|false|null|yes|no)$/i.test(text)
    ? text
    : `'${text.replaceAll("'", "''")}'`;
}
