// Makes an ELF library that holds nothing but what it needs: libraries, and versions of their symbols.

/** Where it is loaded: not at the offsets in the file, so that readers have to convert. */
const ADDRESS = 0x10000;
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;

/** `versions` are the needed version names by library, as in `{ "libc.so.6": ["GLIBC_2.17"] }`. */
export function makeLibrary(libraries, versions) {
  const strings = [""];
  const offsetOf = (text) => {
    if (!strings.includes(text)) strings.push(text);
    const before = strings.slice(0, strings.indexOf(text));
    return before.reduce((sum, string) => sum + string.length + 1, 0);
  };
  const named = Object.entries(versions);
  const needs = Buffer.concat(
    named.map(([library, names], index) => {
      const record = Buffer.alloc(16 + 16 * names.length);
      record.writeUInt16LE(1, 0);
      record.writeUInt16LE(names.length, 2);
      record.writeUInt32LE(offsetOf(library), 4);
      record.writeUInt32LE(16, 8);
      record.writeUInt32LE(index === named.length - 1 ? 0 : record.length, 12);
      names.forEach((name, i) => {
        record.writeUInt32LE(offsetOf(name), 16 + 16 * i + 8);
        record.writeUInt32LE(i === names.length - 1 ? 0 : 16, 16 + 16 * i + 12);
      });
      return record;
    }),
  );
  const tags = libraries.map((name) => [1, offsetOf(name)]);
  const dynamicBytes = 16 * (tags.length + 4);
  const dynamicAt = HEADER_BYTES + 2 * SEGMENT_BYTES;
  const needsAt = dynamicAt + dynamicBytes;
  const stringsAt = needsAt + needs.length;
  tags.push([5, ADDRESS + stringsAt], [0x6fffffff, named.length]);
  tags.push([0x6ffffffe, ADDRESS + needsAt], [0, 0]);
  const text = Buffer.from(`${strings.join("\0")}\0`);

  const bytes = Buffer.alloc(stringsAt + text.length);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  bytes.writeUInt16LE(SEGMENT_BYTES, 54);
  bytes.writeUInt16LE(2, 56);
  writeSegment(bytes, 0, { type: 1, at: 0, size: bytes.length });
  writeSegment(bytes, 1, { type: 2, at: dynamicAt, size: dynamicBytes });
  tags.forEach(([tag, value], i) => {
    bytes.writeBigInt64LE(BigInt(tag), dynamicAt + 16 * i);
    bytes.writeBigUInt64LE(BigInt(value), dynamicAt + 16 * i + 8);
  });
  needs.copy(bytes, needsAt);
  text.copy(bytes, stringsAt);
  return bytes;
}

function writeSegment(bytes, index, { type, at, size }) {
  const start = HEADER_BYTES + SEGMENT_BYTES * index;
  bytes.writeUInt32LE(type, start);
  bytes.writeBigUInt64LE(BigInt(at), start + 8);
  bytes.writeBigUInt64LE(BigInt(ADDRESS + at), start + 16);
  bytes.writeBigUInt64LE(BigInt(size), start + 32);
}
