/** Decodes what the native core answers to reads. */
import { decode, isStackOverflow } from "../codec";
import { DurableObjectError } from "../shared/error";
import { ABSENT, isTicket, LOST, OVERFLOW } from "./addon";
import { inKeyOrder, scratch } from "./packing";
import { completions, replyOf } from "./tickets";
import { Unpacker } from "./unpacking";

/** A value, or a promise if the operation has to wait. */
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

/** Of values that an earlier version or Miniflare 2 has stored. */
const TOO_DEEP_MESSAGE =
  "Unable to deserialize stored Durable Object data, because it is nested too deep for the stack that is left. Read it with a larger stack (node --stack-size=4000) and store it as JSON text, or delete its key.";

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
  for (const packed = new Unpacker(bytes, length); !packed.atEnd; ) {
    const key = keys[packed.number()]!;
    found.set(key, packed.sized(decodeRange));
  }
  return new Map(inKeyOrder([...found.keys()]).map((key) => [key, found.get(key)]));
}

/** One string. */
export function decodeUtf8(bytes: Buffer, length: number): string | undefined {
  return bytes.toString("utf8", 0, length);
}

/** Strings. */
export function decodeTexts(bytes: Buffer, length: number): string[] {
  const texts: string[] = [];
  for (const packed = new Unpacker(bytes, length); !packed.atEnd; ) texts.push(packed.text());
  return texts;
}

/** Keys and values of a list. */
export function decodeEntries(bytes: Buffer, length: number): Map<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const packed = new Unpacker(bytes, length); !packed.atEnd; ) {
    entries.set(packed.text(), packed.sized(decodeRange));
  }
  return entries;
}

/** The value in a part of some bytes. */
export function decodeRange(bytes: Buffer, start: number, end: number): unknown {
  try {
    return decode(bytes, start, end);
  } catch (error) {
    const message = isStackOverflow(error) ? TOO_DEEP_MESSAGE : DESERIALIZATION_MESSAGE;
    throw new DurableObjectError("ERR_DESERIALIZATION", message, error as Error);
  }
}
