/**
 * Keeps Node from warning about experimental features that Miniflare uses on purpose; all other warnings are shown.
 *
 * Some of them are used while Miniflare loads, so the command imports this first.
 */
const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;

process.emitWarning = (...args: unknown[]) => {
  const [warning, options] = args;
  const type = typeof options === "string" ? options : (options as { type?: string })?.type;
  const name = warning instanceof Error ? warning.name : type;
  if (name !== "ExperimentalWarning") emitWarning(...args);
};
