/** Changes one property in the text of a JSON file and leaves every other byte as it is. */

interface Member {
  key: string;
  /** Where the member, its value and the end of its value are in the text. */
  start: number;
  valueStart: number;
  valueEnd: number;
}

interface Span {
  members: Member[];
  /** After the opening and before the closing brace. */
  start: number;
  end: number;
}

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;

/** The text with the property at `path` set to a string; objects on the way are made. */
export function withProperty(text: string, path: readonly string[], value: string): string {
  let span = topLevel(text);
  for (const [depth, key] of path.entries()) {
    const member = span.members.find((candidate) => candidate.key === key);
    if (member === undefined) return insert(text, span, path.slice(depth), value, depth);
    if (depth === path.length - 1) return splice(text, member, JSON.stringify(value));
    if (text[member.valueStart] !== "{")
      return splice(text, member, nested(text, path.slice(depth + 1), value, depth + 1));
    span = objectAt(text, member.valueStart);
  }
  return text;
}

/** The text without the property at `path`, and without the objects that are left empty by that. */
export function withoutProperty(text: string, path: readonly string[]): string {
  let span = topLevel(text);
  let doomed: { span: Span; member: Member } | undefined;
  for (const key of path) {
    const member = span.members.find((candidate) => candidate.key === key);
    if (member === undefined) return text;
    if (doomed === undefined || span.members.length > 1) doomed = { span, member };
    if (text[member.valueStart] === "{") span = objectAt(text, member.valueStart);
    else if (key !== path.at(-1)) return text;
  }
  return doomed === undefined ? text : remove(text, doomed.span, doomed.member);
}

/** The line ending that the text uses. */
export function newlineOf(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

/** The white space of one level; nothing for a text in one line. */
function indentOf(text: string): string {
  return /^[\uFEFF\s]*\{\r?\n([ \t]+)"/.exec(text)?.[1] ?? (text.includes("\n") ? "  " : "");
}

function topLevel(text: string): Span {
  return objectAt(text, text.indexOf("{"));
}

/** The members of the object whose opening brace is at `at`. The text is known to be JSON. */
function objectAt(text: string, at: number): Span {
  const members: Member[] = [];
  let next = skip(SPACE, text, at + 1);
  while (text[next] === '"') {
    const start = next;
    const keyEnd = skip(STRING, text, start);
    const valueStart = skip(SPACE, text, text.indexOf(":", keyEnd) + 1);
    const valueEnd = valueEndAt(text, valueStart);
    members.push({ key: JSON.parse(text.slice(start, keyEnd)), start, valueStart, valueEnd });
    next = skip(SPACE, text, valueEnd);
    if (text[next] === ",") next = skip(SPACE, text, next + 1);
  }
  return { members, start: at + 1, end: next };
}

function valueEndAt(text: string, at: number): number {
  if (text[at] === '"') return skip(STRING, text, at);
  if (text[at] !== "{" && text[at] !== "[") return skip(SCALAR, text, at);
  let depth = 0;
  for (let next = at; next < text.length; next++) {
    const letter = text[next]!;
    if (letter === '"') next = skip(STRING, text, next) - 1;
    else if (letter === "{" || letter === "[") depth++;
    else if ((letter === "}" || letter === "]") && --depth === 0) return next + 1;
  }
  return text.length;
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function splice(text: string, member: Member, value: string): string {
  return text.slice(0, member.valueStart) + value + text.slice(member.valueEnd);
}

/** The value for the rest of a path: the string, or objects around it. */
function nested(text: string, path: readonly string[], value: string, depth: number): string {
  const [key, ...rest] = path;
  if (key === undefined) return JSON.stringify(value);
  const unit = indentOf(text);
  const newline = unit === "" ? "" : newlineOf(text);
  const space = unit === "" ? "" : " ";
  const member = `${JSON.stringify(key)}:${space}${nested(text, rest, value, depth + 1)}`;
  return `{${newline}${unit.repeat(depth + 1)}${member}${newline}${unit.repeat(depth)}}`;
}

/** Adds a member behind the last one of an object, in the way that the others stand there. */
function insert(
  text: string,
  { members, start, end }: Span,
  [key, ...rest]: readonly string[],
  value: string,
  depth: number,
): string {
  const unit = indentOf(text);
  const member = `${JSON.stringify(key)}:${unit === "" ? "" : " "}${nested(text, rest, value, depth + 1)}`;
  const last = members.at(-1);
  if (last === undefined) {
    const newline = unit === "" ? "" : newlineOf(text);
    const inside = `${newline}${unit.repeat(depth + 1)}${member}${newline}${unit.repeat(depth)}`;
    return text.slice(0, start) + inside + text.slice(end);
  }
  const before = text.slice(members.length > 1 ? members.at(-2)!.valueEnd : start, last.start);
  const gap = before.replace(/^,/, "");
  return `${text.slice(0, last.valueEnd)},${gap}${member}${text.slice(last.valueEnd)}`;
}

/** Takes a member out with the comma that separates it. */
function remove(text: string, { members }: Span, member: Member): string {
  const at = members.indexOf(member);
  const before = members[at - 1];
  const after = members[at + 1];
  if (before !== undefined) return text.slice(0, before.valueEnd) + text.slice(member.valueEnd);
  if (after !== undefined) return text.slice(0, member.start) + text.slice(after.start);
  const opening = text.lastIndexOf("{", member.start) + 1;
  return text.slice(0, opening) + text.slice(text.indexOf("}", member.valueEnd));
}
