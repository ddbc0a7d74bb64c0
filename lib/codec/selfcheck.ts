/** Finds out, once, whether the codec and `node:v8` agree in this Node and this realm. */
import { isDeepStrictEqual } from "node:util";
import { deserialize, serialize } from "node:v8";
import { decodeNatively } from "./decoder";
import { encodeNatively } from "./encoder";
import { HEADER_IS_KNOWN, INT_MAX, INT_MIN } from "./wire";
import { ByteWriter } from "./writer";

/** An array without holes, and of no literal, which V8 may keep in another form. */
const list = (...items: unknown[]): unknown[] => items;

/** Values made again for each check: V8 (of Node 26) writes arrays otherwise after they have been compared. */
const samples = (): readonly unknown[] => [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  -1,
  63,
  64,
  INT_MAX,
  INT_MIN,
  INT_MAX + 1,
  INT_MIN - 1,
  1.5,
  Number.POSITIVE_INFINITY,
  "",
  "a",
  "\xff",
  "a\u0100",
  "\ud800",
  "\u{1f600}".repeat(100),
  "\xe9".repeat(200),
  new Date(1_700_000_000_123),
  list(),
  list(1, -2, 3),
  list(0.5, 1.5),
  list(undefined, null, "x", list("\u0100"), { a: "\u0100" }),
  {},
  { a: 1, b: { "\u0100": list(true, "\u0100x", "y\u0100") }, "": -0.5, c: new Date(0) },
];

export function encoderAgrees(): boolean {
  const out = new ByteWriter();
  return (
    HEADER_IS_KNOWN &&
    samples().every((sample) => {
      out.reset();
      const native = encodeNatively(sample, out);
      return native && serialize(sample).equals(out.bytes.subarray(0, out.length));
    })
  );
}

/** False in a sandbox such as Jest's too, where objects made here are of another realm than those of `node:v8`. */
export function decoderAgrees(): boolean {
  return (
    HEADER_IS_KNOWN &&
    samples().every((sample) => {
      const bytes = serialize(sample);
      const native = decodeNatively(bytes, 0, bytes.length);
      return isDeepStrictEqual(native, deserialize(bytes)) && isDeepStrictEqual(native, sample);
    })
  );
}
