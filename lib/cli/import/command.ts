/** `ferroflare import`: copies the objects of a place, of Miniflare 2 or of this package, into one of this package. */

import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { StoredObjects } from "../../native/raw-objects";
import { isRedisUrl, shownUrl } from "../../shared/redis-url";
import { CommandError, EXEC_NAME, UsageError } from "../errors";
import { count } from "../look";
import { checkDirectory, placeOf } from "../place";
import { withProgress } from "../progress";
import { hint, print, readArguments } from "../subcommand";
import { FilesSource, type Source } from "./files-source";
import { Importer } from "./importer";
import { RedisSource } from "./redis-source";

const HELP = `Usage: ${EXEC_NAME} import FROM TO [options]

Copies the Durable Objects in FROM, which Miniflare 2 has written, into TO. Both are directories or redis:// URLs.
FROM does not change. It may also be a place of ${EXEC_NAME}, which workers may use meanwhile. In Redis both may be
the same database: the data of Miniflare 2 stays beside the new data.

You can run it again, for example after it was interrupted. It does not write again what TO already has.
A key or alarm that has another value in TO than in FROM is kept and reported, because a worker may have written it
since. With --overwrite it gets the value from FROM. Keys that are only in TO stay.
What cannot be imported is reported, each with its path or key, and the rest is imported. The exit code is then 1.

Options:
  --overwrite          Use the value of FROM where the values differ`;

/** Runs `ferroflare import` with what follows on the command line. */
export async function importCommand(argv: string[]): Promise<void> {
  const { words, flags } = readArguments(argv, { overwrite: "flag" }, "import");
  if (flags.has("help")) return print(HELP);
  const [from, to, extra] = words;
  if (from === undefined || to === undefined) {
    throw new UsageError(
      `Import takes two directories or redis:// URLs, FROM and TO. ${hint("import")}`,
    );
  }
  if (extra !== undefined)
    throw new UsageError(`Unexpected argument "${extra}". ${hint("import")}`);
  await importObjects(placeOf(from), placeOf(to), flags.has("overwrite"));
}

async function importObjects(from: string, to: string, overwrite: boolean): Promise<void> {
  checkDirectory(from, "FROM");
  if (!isRedisUrl(from) && !isRedisUrl(to)) checkApart(from, to);
  const target = StoredObjects.open(to);
  const source: Source = isRedisUrl(from)
    ? new RedisSource(from, from !== to)
    : new FilesSource(from);
  const importer = new Importer(target, overwrite, (line) => {
    process.stderr.write(`${EXEC_NAME}: ${line}\n`);
    process.exitCode = 1;
  });
  try {
    // There may be nothing to import, but it must be possible.
    if (isRedisUrl(to)) await target.names();
    const progress = () =>
      `Imported ${count(importer.found.objects, "object")}, ${count(importer.found.keys, "key")}`;
    await withProgress(progress, () => importer.run(source.objects(importer)));
  } finally {
    await source.close();
    await target.close();
  }
  for (const [where, what] of source.foreign) await print(`Left out: ${where} (${what})`);
  const { found, present, problems } = importer;
  await print(
    `Imported from ${shownUrl(from)} into ${shownUrl(to)}: ${count(found.objects, "object")}, ${count(found.keys, "key")}, ` +
      `${count(found.alarms, "alarm")}.`,
  );
  if (present.keys + present.alarms > 0) {
    await print(
      `Of these existed already: ${count(present.keys, "key")}, ${count(present.alarms, "alarm")}.`,
    );
  }
  if (problems > 0) await print(`Not imported: ${problems}, see above.`);
}

/** # Errors `CommandError` if one directory is, or is in, the other. */
function checkApart(from: string, to: string): void {
  const [a, b] = [canonical(from), canonical(to)];
  if (a === b)
    throw new CommandError(`FROM and TO are the same directory, ${a}: name a new one as TO.`);
  for (const [outer, inner] of [
    [a, b],
    [b, a],
  ] as const) {
    if (!inner.startsWith(outer + path.sep)) continue;
    throw new CommandError(`${inner} is in ${outer}: import into a directory apart from FROM.`);
  }
}

/** A path without links, of which the last parts may not exist. */
function canonical(place: string): string {
  if (existsSync(place)) return realpathSync(place);
  const parent = path.dirname(place);
  return parent === place ? place : path.join(canonical(parent), path.basename(place));
}
