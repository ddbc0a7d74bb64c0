/** Starts a read-eval-print loop whose global scope is the worker's, with its bindings as `env`. */
import os from "node:os";
import path from "node:path";
import repl from "node:repl";
import vm from "node:vm";
import type { CorePluginSignatures, MiniflareCore } from "@miniflare/core";

const HISTORY_LINES_DEFAULT = 1000;

interface HistoryOptions {
  path: string;
  lines: number;
}

/** Reads where history is kept, and how much of it; an empty `MINIFLARE_REPL_HISTORY` turns the file off. */
function historyOptions(env: NodeJS.ProcessEnv): HistoryOptions {
  const lines = Number(env.MINIFLARE_REPL_HISTORY_SIZE);
  return {
    path: env.MINIFLARE_REPL_HISTORY ?? path.join(os.homedir(), ".mf_repl_history"),
    lines: lines > 0 ? lines : HISTORY_LINES_DEFAULT,
  };
}

/** Like `startREPL`, and hands out the server, so that the command line can end with it. */
export async function createREPL<Plugins extends CorePluginSignatures>(
  mf: MiniflareCore<Plugins>,
): Promise<repl.REPLServer> {
  const strict = process.env.MINIFLARE_REPL_MODE?.toLowerCase().trim() === "strict";
  const history = historyOptions(process.env);
  const context = vm.createContext(await mf.getGlobalScope(), {
    codeGeneration: { strings: false, wasm: false },
  });
  context.env = await mf.getBindings();

  const server = repl.start({
    replMode: strict ? repl.REPL_MODE_STRICT : repl.REPL_MODE_SLOPPY,
    historySize: history.lines,
  } as repl.ReplOptions);
  (server as { context: vm.Context }).context = context;
  if (history.path !== "") {
    server.setupHistory(history.path, (error) => {
      if (error) mf.log.error(error);
    });
  }
  return server;
}

/** Resolves once the prompt is shown; the loop goes on until the user leaves it. */
export async function startREPL<Plugins extends CorePluginSignatures>(
  mf: MiniflareCore<Plugins>,
): Promise<void> {
  await createREPL(mf);
}
