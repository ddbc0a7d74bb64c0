// What a child process says to its parent: each line is in the pipe when `say()` returns, whatever happens to the process then.
import { readSync, writeSync } from "node:fs";

const STDIN = 0;
const STDOUT = 1;

/** Says one line. */
export function say(line) {
  const bytes = Buffer.from(`${line}\n`);
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(STDOUT, bytes, written);
    } catch (error) {
      if (error.code === "EPIPE") process.exit(1);
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

/** Waits for the parent's orders: one line of JSON. */
export function orders() {
  const bytes = Buffer.alloc(1 << 16);
  let text = "";
  while (!text.includes("\n")) {
    let length = 0;
    try {
      length = readSync(STDIN, bytes);
    } catch (error) {
      if (error.code === "EAGAIN") continue;
      throw error;
    }
    if (length === 0) process.exit(0);
    text += bytes.toString("utf8", 0, length);
  }
  return JSON.parse(text.slice(0, text.indexOf("\n")));
}
