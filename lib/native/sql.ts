/** Calls of the native core for SQL: packs what goes with a statement, and reads the replies. */
import { ByteWriter, readLatin1 } from "../codec";
import type { ObjectHandle } from "./addon";
import { decodeRange, decodeTexts } from "./answers";

/** What goes in and out of the calls for SQL. No other call uses it, and nothing keeps it. */
export const sqlBuffer = new ByteWriter();

/** The numbers at the head of a reply, by place; after them come those of the cells. */
export const CURSOR = 0;
export const COLUMNS = 1;
export const NAMES = 2;
export const ROWS = 3;
export const IS_LAST = 4;
export const ROWS_READ = 5;
export const ROWS_WRITTEN = 6;
export const TICKET = 7;
const TEXT_BYTES = 8;
const ALL_ASCII = 9;
const CELLS = 11;

/** Tags of packed bindings; a number is always REAL. */
const [NULL, REAL, TEXT, BLOB] = [0, 1, 2, 3];
const NUMBER_BYTES = 8;

/** No cursor has this number. */
export const NO_CURSOR = 0;

/** More rows than a statement has. */
export const ALL_ROWS = 2 ** 32 - 1;

let numbers = new Float64Array(sqlBuffer.bytes.buffer);

/** The reply of a call that has returned `code`. It is valid until the next call. */
export function sqlReply(handle: ObjectHandle, code: number): Float64Array {
  if (code < 0) {
    sqlBuffer.reset();
    sqlBuffer.ensure(-code);
    handle.sqlTake(sqlBuffer.bytes);
  }
  const { buffer } = sqlBuffer.bytes;
  if (numbers.buffer !== buffer) numbers = new Float64Array(buffer);
  return numbers;
}

/** The cells of all rows of a reply, row by row; blobs are copied. */
export function cellsOf(reply: Float64Array): unknown[] {
  const count = reply[ROWS]! * reply[COLUMNS]!;
  if (count === 0) return [];
  const { bytes } = sqlBuffer;
  const types = (CELLS + count) * NUMBER_BYTES;
  const textStart = types + count;
  const textEnd = textStart + reply[TEXT_BYTES]!;
  const text = textIn(bytes, textStart, textEnd, reply[ALL_ASCII] === 1);
  let textAt = 0;
  let blobAt = textEnd;
  const cells: unknown[] = new Array(count);
  for (let i = 0; i < count; i++) {
    const value = reply[CELLS + i]!;
    switch (bytes[types + i]) {
      case REAL:
        cells[i] = value;
        break;
      case TEXT:
        cells[i] = text.substring(textAt, textAt + value);
        textAt += value;
        break;
      case BLOB:
        cells[i] = bytes.buffer.slice(blobAt, blobAt + value);
        blobAt += value;
        break;
      default:
        cells[i] = null;
    }
  }
  return cells;
}

/** The key and the value in the one row of a walk through the keys. */
export function entryOf(reply: Float64Array): [key: string, value: unknown] {
  const { bytes } = sqlBuffer;
  const textStart = (CELLS + 2) * NUMBER_BYTES + 2;
  const textEnd = textStart + reply[TEXT_BYTES]!;
  const key = textIn(bytes, textStart, textEnd, reply[ALL_ASCII] === 1);
  return [key, decodeRange(bytes, textEnd, textEnd + reply[CELLS + 1]!)];
}

function textIn(bytes: Buffer, start: number, end: number, isAscii: boolean): string {
  if (start === end) return "";
  return isAscii ? readLatin1(bytes, start, end) : bytes.toString("utf8", start, end);
}

/** The names of the columns that a reply has numbered; they take the place of the reply. */
export function columnNames(handle: ObjectHandle, names: number): string[] {
  let length = handle.sqlColumns(names, sqlBuffer.bytes);
  if (length < 0) {
    sqlBuffer.reset();
    sqlBuffer.ensure(-length);
    length = handle.sqlColumns(names, sqlBuffer.bytes);
  }
  return decodeTexts(sqlBuffer.bytes, length);
}

/** A binding that can be packed. */
export type Bound = null | undefined | number | string | ArrayBuffer | ArrayBufferView;

/** Packs bindings, the values from a place on; gives the number of bytes. */
export function packBindings(values: readonly Bound[], from: number): number {
  sqlBuffer.reset();
  for (let i = from; i < values.length; i++) {
    const value = values[i];
    if (typeof value === "string") packText(value);
    else if (typeof value === "number" && !Number.isNaN(value)) packNumber(value);
    else if (typeof value === "object" && value !== null) packBlob(value);
    else sqlBuffer.writeByte(NULL);
  }
  return sqlBuffer.length;
}

function packNumber(value: number): void {
  sqlBuffer.writeByte(REAL);
  sqlBuffer.writeDouble(value);
}

function packText(text: string): void {
  sqlBuffer.writeByte(TEXT);
  const place = sqlBuffer.length;
  sqlBuffer.u32(0);
  sqlBuffer.patchU32(place, sqlBuffer.writeUtf8(text));
}

function packBlob(value: ArrayBuffer | ArrayBufferView): void {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  sqlBuffer.writeByte(BLOB);
  sqlBuffer.u32(bytes.length);
  sqlBuffer.writeBytes(bytes);
}
