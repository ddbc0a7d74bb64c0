/** How the command looks on a terminal: colours, marks and tables. What goes into a file or a pipe has none of them. */

/** Whether output is for people; a pipe gets the same words whatever colours are asked for. */
export function isForPeople(): boolean {
  return process.stdout.isTTY === true;
}

function coloured(stream: NodeJS.WriteStream): boolean {
  const { FORCE_COLOR, NO_COLOR, NODE_DISABLE_COLORS, TERM } = process.env;
  if (NO_COLOR || NODE_DISABLE_COLORS || TERM === "dumb") return false;
  return FORCE_COLOR === undefined ? stream.isTTY === true : FORCE_COLOR !== "0";
}

function style(open: number, close: number) {
  return (text: string, stream: NodeJS.WriteStream = process.stdout) =>
    coloured(stream) ? `\x1b[${open}m${text}\x1b[${close}m` : text;
}

export const bold = style(1, 22);
export const dim = style(2, 22);
export const red = style(31, 39);
export const green = style(32, 39);
export const cyan = style(36, 39);

/** A line about what has been done, with a mark on a terminal. */
export function done(text: string): string {
  return isForPeople() ? `${green("✔")} ${text}` : text;
}

/** A line of a change as `diff()` gives it. */
export function diffLine(line: string): string {
  if (line.startsWith("+")) return green(line);
  return line.startsWith("-") ? red(line) : line;
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
