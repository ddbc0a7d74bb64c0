/** Runs npm: the one that started the script, or the one on the path. */
import { run, runNode } from "./process.mjs";

/** `options` are those of `run`. */
export function npm(args, options) {
  const program = process.env.npm_execpath;
  if (program && /npm-cli\.[cm]?js$/.test(program)) return runNode([program, ...args], options);
  if (process.platform === "win32") return run("cmd", ["/d", "/s", "/c", "npm", ...args], options);
  return run("npm", args, options);
}
