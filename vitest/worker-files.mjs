// Makes the files of a worker known to Vite, which has not loaded them: a change of one runs the tests again, and code
// frames show their lines.

/** The prefix of what the setup file imports; the rest is a list of files. */
const PREFIX = "ferroflare:files?";

/** The files that an import tells of, or `undefined` if it is another one. */
export function filesIn(id) {
  return id.startsWith(PREFIX)
    ? JSON.parse(decodeURIComponent(id.slice(PREFIX.length)))
    : undefined;
}

/** Lets the graph of modules have them as imports of `importer`. Vite 6 and newer have a graph for each environment. */
export async function addFiles(files, importer, server, environment) {
  const graph = environment?.moduleGraph ?? server.moduleGraph;
  const importers = graph.getModulesByFile(normalized(importer)) ?? [];
  server.watcher.add(files);
  for (const file of files.map(normalized)) {
    const module = await graph.ensureEntryFromUrl(file);
    for (const one of importers) module.importers.add(one);
    // Vitest 4 shows lines of modules that have been transformed.
    const transform = environment?.transformRequest?.bind(environment);
    await (transform?.(file) ?? server.transformRequest(file, { ssr: true })).catch(() => {});
  }
}

function normalized(file) {
  return file.replaceAll("\\", "/");
}
