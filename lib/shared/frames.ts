/** Stack traces for users: without the frames that lie in Node.js, in Miniflare and in this package. */
import path from "node:path";
import { ownDirectory } from "./own-package";

/** Directories of this package with code that runs; a source map may name the sources. */
const OWN = ["lib", "dist", "vitest", "bin"].map(
  (name) => path.join(ownDirectory, name) + path.sep,
);

/** Packages whose frames say nothing about a worker. */
const PACKAGES = /[\\/]node_modules[\\/](?:@miniflare|miniflare|undici)[\\/]/;

/** Whether a file, or a line of a stack that names one, belongs to Miniflare or to this package. */
export function isOwnFrame(text: string): boolean {
  return PACKAGES.test(text) || OWN.some((place) => text.includes(place));
}

function isFrame(line: string): boolean {
  return /^\s+at /.test(line);
}

/** A stack without the frames of Miniflare and of this package. */
export function withoutOwnFrames(stack: string): string {
  return stack
    .split("\n")
    .filter((line) => !isFrame(line) || !isOwnFrame(line))
    .join("\n");
}

/** A stack down to the first frame in Node.js, a package, or this one: where the script was started from. */
export function downToScript(stack: string): string {
  const lines = stack.split("\n");
  const end = lines.findIndex(
    (line) => isFrame(line) && (/node:|node_modules/.test(line) || isOwnFrame(line)),
  );
  return lines.slice(0, end === -1 ? undefined : end).join("\n");
}
