/** Shows what a change does to a text: the lines that differ, with those around them. */

const CONTEXT = 3;

/** The changed lines of a text, marked with `-` and `+`, and up to three lines before and after; empty if nothing changes. */
export function diff(file: string, before: string, after: string): string[] {
  if (before === after) return [];
  const [old, new_] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < old.length && start < new_.length && old[start] === new_[start]) start++;
  let same = 0;
  while (
    same < old.length - start &&
    same < new_.length - start &&
    old.at(-1 - same) === new_.at(-1 - same)
  ) {
    same++;
  }
  const from = Math.max(0, start - CONTEXT);
  const until = old.length - same;
  return [
    `--- ${before === "" ? "(new file)" : file}`,
    `+++ ${after === "" ? "(removed)" : file}`,
    ...old.slice(from, start).map((line) => `  ${line}`),
    ...old.slice(start, until).map((line) => `- ${line}`),
    ...new_.slice(start, new_.length - same).map((line) => `+ ${line}`),
    ...old.slice(until, until + CONTEXT).map((line) => `  ${line}`),
  ];
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}
