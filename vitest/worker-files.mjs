// Makes the files of a worker known to Vite, which has not loaded them: a change of one runs the tests again, and code
// frames show their lines.

/** What the setup file imports: a list of files, and whether coverage is measured. */
const PREFIX = "ferroflare:files?";

/** What an import tells, or `undefined` if it is another one. */
export function toldBy(id) {
  if (!id.startsWith(PREFIX)) return undefined;
  const [files, coverage] = id.slice(PREFIX.length).split("&");
  return { files: JSON.parse(decodeURIComponent(files)), measured: coverage !== undefined };
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
