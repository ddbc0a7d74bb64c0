/** The manifest of this package. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** The root directory of this package. */
export const ownDirectory = path.join(__dirname, "../..");

export function ownPackage(): { name: string; version: string } {
  return JSON.parse(readFileSync(path.join(ownDirectory, "package.json"), "utf8"));
}
