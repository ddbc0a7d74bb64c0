/** Damages databases as disks, people and other versions do. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";

/** Overwrites a stretch of a file in the middle of it, or where `at`, a fraction of its length, says. */
export function garble(file, at = 0.5) {
  const bytes = readFileSync(file);
  bytes.fill(0x5a, Math.floor(bytes.length * at), Math.ceil(bytes.length * at) + 64);
  writeFileSync(file, bytes.subarray(0, readFileSync(file).length));
}

/** Cuts off the second half of a file. */
export function halve(file) {
  truncateSync(file, Math.floor(readFileSync(file).length / 2));
}

/** Cuts off the last bytes of a file. */
export function cutTail(file) {
  truncateSync(file, readFileSync(file).length - TAIL_BYTES);
}

/** Makes every byte of a file zero. */
export function zero(file) {
  writeFileSync(file, Buffer.alloc(readFileSync(file).length));
}

/** Makes the version in a log of RocksDB another one, as a future ferroflare would write it. */
export function setVersion(logFile, version) {
  const log = readFileSync(logFile);
  for (let start = 0; start + HEADER_BYTES <= log.length; ) {
    const length = log.readUInt16LE(start + 4);
    const record = log.subarray(start + HEADER_BYTES - 1, start + HEADER_BYTES + length);
    const key = record.indexOf("\0version");
    if (key !== -1) {
      // The key, the length of the value in one byte, the value.
      record.writeUInt32LE(version, key + "\0version".length + 1);
      log.writeUInt32LE(masked(crc32c(record)), start);
      writeFileSync(logFile, log);
      return;
    }
    start += HEADER_BYTES + length;
  }
  throw new Error(`no version in ${logFile}`);
}

/** Less than the last record of a manifest. */
const TAIL_BYTES = 17;
/** Before each record: checksum (4), length (2), kind (1); the checksum is of the kind and what follows. */
const HEADER_BYTES = 7;

function crc32c(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** RocksDB stores checksums masked, because checksums of checksums are weak. */
function masked(crc) {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
