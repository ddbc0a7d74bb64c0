/** Reads of a 64-bit little-endian ELF library what it needs from the system: libraries, and versions of their symbols. */
import { readFileSync } from "node:fs";
import { Failure } from "./program.mjs";

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_VERNEED = 0x6ffffffe;
const DT_VERNEEDNUM = 0x6fffffff;

/**
 * Returns `{ libraries, versions }`: the names of the needed libraries, and the needed version names of each, such as
 * `GLIBC_2.17`, by library.
 */
export function readNeeds(file) {
  const bytes = readFileSync(file);
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Failure(`${file} is no 64-bit little-endian ELF library.`);
  }
  const segments = readSegments(bytes);
  const dynamic = readDynamic(bytes, segments, file);
  const strings = offsetOf(segments, entryOf(dynamic, DT_STRTAB));
  const textAt = (offset) => {
    const start = strings + offset;
    return bytes.toString("latin1", start, bytes.indexOf(0, start));
  };
  const libraries = dynamic
    .filter(({ tag }) => tag === DT_NEEDED)
    .map(({ value }) => textAt(value));
  return { libraries, versions: readVersions(bytes, segments, dynamic, textAt) };
}

function readSegments(bytes) {
  const start = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const word = (offset) => Number(bytes.readBigUInt64LE(at + offset));
    return { type: bytes.readUInt32LE(at), offset: word(8), address: word(16), size: word(32) };
  });
}

function readDynamic(bytes, segments, file) {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!segment) throw new Failure(`${file} is linked statically: it is no library.`);
  const entries = [];
  for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
    const tag = Number(bytes.readBigInt64LE(at));
    if (tag === 0) break;
    entries.push({ tag, value: Number(bytes.readBigUInt64LE(at + 8)) });
  }
  return entries;
}

/** Walks the records of needed versions: one for each library, and under it one for each version. */
function readVersions(bytes, segments, dynamic, textAt) {
  const versions = new Map();
  const first = entryOf(dynamic, DT_VERNEED);
  if (first === undefined) return versions;
  let at = offsetOf(segments, first);
  for (let count = entryOf(dynamic, DT_VERNEEDNUM); count > 0; count--) {
    const names = [];
    let entry = at + bytes.readUInt32LE(at + 8);
    for (let left = bytes.readUInt16LE(at + 2); left > 0; left--) {
      names.push(textAt(bytes.readUInt32LE(entry + 8)));
      entry += bytes.readUInt32LE(entry + 12);
    }
    versions.set(textAt(bytes.readUInt32LE(at + 4)), names);
    at += bytes.readUInt32LE(at + 12);
  }
  return versions;
}

function entryOf(dynamic, wanted) {
  return dynamic.find(({ tag }) => tag === wanted)?.value;
}

/** Where in the file an address lies. */
function offsetOf(segments, address) {
  const segment = segments.find(
    ({ type, address: start, size }) =>
      type === PT_LOAD && address >= start && address < start + size,
  );
  return address - segment.address + segment.offset;
}
