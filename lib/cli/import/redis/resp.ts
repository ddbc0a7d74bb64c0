/** Takes replies of a Redis server apart (RESP2), and puts commands together. */

/** What the server refuses a command with; `prefix` is its first word, such as `WRONGTYPE`. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";

  get prefix(): string {
    return this.message.split(" ", 1)[0]!;
  }
}

/** Status lines are strings, everything else is bytes. */
export type Reply = string | number | Buffer | null | ReplyError | Reply[];

const CR = 13;
const LF = 10;
/** A line is a number, a status or an error: nothing that a server says is longer. */
const LINE_BYTES_MAX = 64 * 1024;

export function encodeCommand(words: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** Collects what arrives, and gives the replies that are complete. */
export class ReplyReader {
  #chunks: Buffer[] = [];
  #length = 0;
  /** Below this, nothing more can be complete: a large reply is not tried again at each of its pieces. */
  #wanted = 0;

  /** # Errors `Error` if this is not what a Redis server says. */
  push(chunk: Buffer): Reply[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#wanted) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#length);
    const replies: Reply[] = [];
    let place = 0;
    this.#wanted = 0;
    while (place < bytes.length) {
      const cursor = new Cursor(bytes, place);
      const reply = cursor.reply();
      if (reply === undefined) {
        this.#wanted = cursor.wanted - place;
        break;
      }
      replies.push(reply);
      place = cursor.place;
    }
    this.#chunks = place < bytes.length ? [bytes.subarray(place)] : [];
    this.#length = bytes.length - place;
    return replies;
  }
}

/** Reads one reply; `undefined` where it is not complete. */
class Cursor {
  readonly #bytes: Buffer;
  place: number;
  /** How long the bytes have to be before another try makes sense. */
  wanted = 0;

  constructor(bytes: Buffer, place: number) {
    this.#bytes = bytes;
    this.place = place;
  }

  reply(): Reply | undefined {
    const line = this.#line();
    if (line === undefined) return undefined;
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new ReplyError(rest);
      case ":":
        return count(rest);
      case "$":
        return this.#bulk(count(rest));
      case "*":
        return this.#array(count(rest));
      default:
        throw notRedis(line);
    }
  }

  #line(): string | undefined {
    const end = this.#bytes.indexOf(LF, this.place);
    if (end === -1) {
      if (this.#bytes.length - this.place > LINE_BYTES_MAX) throw notRedis("");
      this.wanted = this.#bytes.length + 1;
      return undefined;
    }
    if (this.#bytes[end - 1] !== CR)
      throw notRedis(this.#bytes.toString("latin1", this.place, end));
    const line = this.#bytes.toString("utf8", this.place, end - 1);
    this.place = end + 1;
    return line;
  }

  #bulk(length: number): Buffer | null | undefined {
    if (length < 0) return null;
    const start = this.place;
    this.wanted = start + length + 2;
    if (this.#bytes.length < this.wanted) return undefined;
    this.place = this.wanted;
    return this.#bytes.subarray(start, start + length);
  }

  #array(length: number): Reply[] | null | undefined {
    if (length < 0) return null;
    const items: Reply[] = [];
    for (let i = 0; i < length; i++) {
      const item = this.reply();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
}

function count(text: string): number {
  if (!/^-?\d+$/.test(text)) throw notRedis(text);
  return Number(text);
}

function notRedis(line: string): Error {
  const most = 60;
  return new Error(
    `it does not speak as a Redis server does: ${JSON.stringify(line.slice(0, most))}`,
  );
}
