/** Decodes what the native core answers to reads. */
import { decode } from "../codec";
import { DurableObjectError } from "../shared/error";
import { ABSENT, isTicket, LOST, OVERFLOW } from "./addon";
import { inKeyOrder, scratch } from "./packing";
import { completions, replyOf } from "./tickets";

/** A value that is there, or a promise where the operation has to wait. */
export type Answer<T> = T | Promise<T>;

/** Thrown by an operation of a transaction's attempt that has lost: the closure will be run again. */
export class AttemptLostError extends Error {
  override name = "AttemptLostError";
  readonly code = "ERR_ATTEMPT_LOST";

  constructor() {
    super(
      "This attempt of the transaction has read something that was written meanwhile. It will be run again.",
    );
  }
}

const DESERIALIZATION_MESSAGE =
  "Unable to deserialize stored Durable Object data due to an invalid or unsupported version.\n" +
  "The Durable Object data storage format changed in Miniflare 2. You cannot load Durable Object data created with Miniflare 1 and must delete it.";

/** Bytes before each packed string of bytes: its length. */
const LENGTH_BYTES = 4;

/** What a read answers: `read` decodes its bytes; `absent` stands for a key that does not exist. */
export function answer<T>(
  code: number,
  read: (bytes: Buffer, length: number) => T,
  absent: T,
): Answer<T> {
  if (code >= 0) return read(scratch.bytes, code);
  if (isTicket(code)) {
    return replyOf(code).then(({ value, bytes }) =>
      bytes === undefined ? unusual(value, absent) : read(asBuffer(bytes), bytes.length),
    );
  }
  if (code !== OVERFLOW) return unusual(code, absent);
  const bytes = completions.takeBytes();
  return read(asBuffer(bytes), bytes.length);
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

function unusual<T>(code: number, absent: T): T {
  if (code === LOST) throw new AttemptLostError();
  if (code === ABSENT) return absent;
  throw new Error(`Internal error in ferroflare: unknown code ${code}. Please report it.`);
}

/** One value. */
export function decodeValue(bytes: Buffer, length: number): unknown {
  return decodeRange(bytes, 0, length);
}

/** The values of those `keys` that exist, in key order; the answer names them by position. */
export function decodeFound(
  bytes: Buffer,
  length: number,
  keys: readonly string[],
): Map<string, unknown> {
  const found = new Map<string, unknown>();
  let place = 0;
  while (place < length) {
    const key = keys[readU32(bytes, place)]!;
    const start = place + 2 * LENGTH_BYTES;
    place = start + readU32(bytes, place + LENGTH_BYTES);
    found.set(key, decodeRange(bytes, start, place));
  }
  return new Map(inKeyOrder([...found.keys()]).map((key) => [key, found.get(key)]));
}

/** Strings. */
export function decodeTexts(bytes: Buffer, length: number): string[] {
  const texts: string[] = [];
  for (let place = 0; place < length; ) {
    const end = place + LENGTH_BYTES + readU32(bytes, place);
    texts.push(bytes.toString("utf8", place + LENGTH_BYTES, end));
    place = end;
  }
  return texts;
}

/** Keys and values of a list. */
export function decodeEntries(bytes: Buffer, length: number): Map<string, unknown> {
  const entries = new Map<string, unknown>();
  let place = 0;
  while (place < length) {
    const keyEnd = place + LENGTH_BYTES + readU32(bytes, place);
    const key = bytes.toString("utf8", place + LENGTH_BYTES, keyEnd);
    const start = keyEnd + LENGTH_BYTES;
    place = start + readU32(bytes, keyEnd);
    entries.set(key, decodeRange(bytes, start, place));
  }
  return entries;
}

function decodeRange(bytes: Buffer, start: number, end: number): unknown {
  try {
    return decode(bytes, start, end);
  } catch (error) {
    throw new DurableObjectError("ERR_DESERIALIZATION", DESERIALIZATION_MESSAGE, error as Error);
  }
}

function readU32(bytes: Buffer, place: number): number {
  const low = bytes[place]! | (bytes[place + 1]! << 8) | (bytes[place + 2]! << 16);
  return (low | (bytes[place + 3]! << 24)) >>> 0;
}
