// Runs module programs with the script runner, as `{name, files}` of standard input, and prints what each shows.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const { ScriptRunner } = require("../../../dist/miniflare/script-runner.js");

const RULES = [
  { type: "CommonJS", include: /\.cjs$/ },
  { type: "ESModule", include: /\.m?js$/ },
  { type: "Text", include: /\.txt$/ },
  { type: "Data", include: /\.bin$/ },
  { type: "CompiledWasm", include: /\.wasm$/ },
  { type: "Other", include: /\.other$/ },
];

const root = realpathSync(mkdtempSync(path.join(os.tmpdir(), "ferroflare-modules-")));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));
process.chdir(root);

/** Ends the program that runs: nothing is left that could go on. */
let stall = () => {};
process.on("beforeExit", () => stall());

function describe(value, depth = 0) {
  if (typeof value === "function") return `function ${value.name}`;
  if (value === null || typeof value !== "object") return `${typeof value} ${String(value)}`;
  if (Object.prototype.toString.call(value) === "[object Error]")
    return `${value.name}: ${value.message}`;
  if (depth > 3) return "…";
  const tag = Object.prototype.toString.call(value);
  const entries = Object.keys(value).map((key) => {
    try {
      return `${key}: ${describe(value[key], depth + 1)}`;
    } catch (error) {
      return `${key}: throws ${error.message}`;
    }
  });
  return `${tag} {${entries.join(", ")}}`;
}

function places(error) {
  const own = String(error?.stack)
    .split("\n")
    .filter((line) => line.includes(root));
  return own.map((line) => line.replaceAll(root + path.sep, "").trim());
}

function failure(error) {
  return {
    shown: describe(error),
    code: error?.code,
    outer: error instanceof Error,
    // What Node.js itself leaves out of the stack of a syntax error is no difference that matters.
    places:
      error?.name === "SyntaxError" ? [] : places(error).filter((line) => line.startsWith("at ")),
  };
}

async function runProgram({ files, code, compat = true, exact = true }) {
  rmSync(path.join(root, "worker"), { recursive: true, force: true });
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, "worker", name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(
      file,
      typeof content === "string" ? content : Buffer.from(content.base64, "base64"),
    );
  }
  const lines = [];
  const log = (...values) => lines.push(values.map((value) => describe(value)).join(" | "));
  const scope = {
    log,
    places: (error) => log(places(error).join(" ")),
    attempt(run) {
      try {
        log(run());
      } catch (error) {
        log(error, ...(error?.stack === undefined ? [] : places(error)));
      }
    },
    setImmediate,
  };
  const main = path.join(root, "worker", "main.mjs");
  const blueprint =
    code === undefined
      ? { filePath: main, code: files["main.mjs"] }
      : { filePath: "<script>", code };
  const additional = { ADDED: { default: { added: true }, named: 5 } };
  const stalled = new Promise((resolve) => {
    stall = () => resolve({ stalled: true });
  });
  const running = new ScriptRunner()
    .run(scope, blueprint, RULES, additional, { isEnabled: () => compat })
    .then(
      ({ exports, bundleSize, watch }) => ({
        exports: describe(exports),
        bundleSize,
        watch: watch.map((file) => path.relative(root, file)),
      }),
      (error) => ({ failed: failure(error) }),
    );
  const result = await Promise.race([running, stalled]);
  // What goes on afterwards belongs to the program too.
  if (!result.stalled) await new Promise((resolve) => setImmediate(resolve));
  const shown = JSON.stringify({ lines, ...result }).replaceAll(root, "ROOT");
  // Columns differ after calls of imports that change, and how far a stack trace follows awaits is V8's business.
  const vague = /(?: \| string at async worker[^"| ]*)|(?<=\.mjs:\d+):\d+/g;
  return JSON.parse(exact ? shown : shown.replace(vague, ""));
}

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(describe(reason)));

const results = {};
for (const { name, ...program } of JSON.parse(await text(process.stdin))) {
  results[name] = await runProgram(program);
  if (unhandled.length > 0) results[name].unhandled = unhandled.splice(0);
}
console.log(JSON.stringify(results));
