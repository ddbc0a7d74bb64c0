/** Knows the directories that this process keeps stored data in, so that watchers of sources ignore writes there. */
import { realpathSync } from "node:fs";
import path from "node:path";

const directories = new Set<string>();

/** Notes a directory, which need not exist. It stays noted until the process ends. */
export function noteDataDirectory(directory: string): void {
  directories.add(path.resolve(directory));
}

/** How many directories are noted. */
export function dataDirectoryCount(): number {
  return directories.size;
}

/** The noted directories below `directory`, relative to it: as they were named, and without links. */
export function dataBelow(directory: string): string[] {
  const real = realPath(directory);
  return [...directories].flatMap((data) => {
    const relative = [path.relative(directory, data), path.relative(real, realPath(data))];
    return relative.filter(isBelow);
  });
}

function isBelow(relative: string): boolean {
  return relative !== "" && !/^\.\.([/\\]|$)/.test(relative) && !path.isAbsolute(relative);
}

/** The path without symbolic links, as far as it exists. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    const above = path.dirname(file);
    return above === file ? file : path.join(realPath(above), path.basename(file));
  }
}
