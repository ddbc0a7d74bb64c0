/** Says where and why source code is no module, in V8's words. */
import { spawn } from "node:child_process";
import type { ModuleText } from "./import-place";
import type { UnreadableModule } from "./loader";
import { parseModule } from "./parser";
import type { Realm } from "./realm";

export interface SyntaxProblem {
  /** File, line, source line and marker. */
  place: string;
  message: string;
}

/** Asks another Node.js, which parses modules whatever its flags. Resolves with `undefined` if it accepts the code. */
export function findSyntaxProblem(
  code: string,
  filePath: string,
): Promise<SyntaxProblem | undefined> {
  return new Promise((resolve) => {
    const checker = spawn(process.execPath, ["--check", "--input-type=module", "-"], {
      env: { ...process.env, NODE_OPTIONS: "" },
      stdio: ["pipe", "ignore", "pipe"],
    });
    let report = "";
    checker.stderr.setEncoding("utf8").on("data", (text) => {
      report += text;
    });
    checker.on("error", () => resolve(undefined));
    checker.on("close", () => {
      const found = /^\[stdin\](:\d+\n.*(?:\n *\^+)?)\s*\nSyntaxError: (.*)$/m.exec(report);
      resolve(found === null ? undefined : { place: filePath + found[1], message: found[2]! });
    });
    checker.stdin.on("error", () => {});
    checker.stdin.end(code);
  });
}

/** Where the first module lies that cannot be read; acorn refuses it, and Node.js says why. */
export async function findUnreadable(modules: Iterable<ModuleText>): Promise<string | undefined> {
  for (const { file, code } of modules) {
    if (isReadable(code)) continue;
    const problem = await findSyntaxProblem(code, file);
    if (problem !== undefined) return problem.place;
  }
  return undefined;
}

function isReadable(code: string): boolean {
  try {
    parseModule(code, undefined);
    return true;
  } catch {
    return false;
  }
}

/** Makes the error for code that acorn cannot parse. */
export async function explainSyntaxError(
  { identifier, code, cause }: UnreadableModule,
  realm: Realm,
): Promise<SyntaxError> {
  const problem = await findSyntaxProblem(code, identifier);
  if (problem === undefined) {
    const { line, column } = (cause as SyntaxError & { loc: { line: number; column: number } }).loc;
    const reason = cause.message.replace(/ \(\d+:\d+\)$/, "");
    return realm.syntaxError(
      `${identifier}:${line}:${column + 1}: ${reason}. Node.js itself may read this: start it with --experimental-vm-modules to have it link the modules.`,
    );
  }
  const error = realm.syntaxError(problem.message);
  error.stack = `${problem.place}\n\n${error.stack}`;
  return error;
}
