/** Runs worker scripts as Miniflare does, and adds to a syntax error in a module the place that Node leaves out. */
import { spawn } from "node:child_process";
import { VMScriptRunner } from "@miniflare/runner-vm";
import type { ScriptBlueprint } from "@miniflare/shared";

/** Returns file, line, source line and marker of the syntax error in a module, or `undefined` if it has none. */
function placeOfSyntaxError({ code, filePath }: ScriptBlueprint): Promise<string | undefined> {
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
      const place = /^\[stdin\](:\d+\n.*\n *\^+)$/m.exec(report);
      resolve(place === null ? undefined : `${filePath}${place[1]}`);
    });
    checker.stdin.on("error", () => {});
    checker.stdin.end(code);
  });
}

export class ScriptRunner extends VMScriptRunner {
  override async run(...args: Parameters<VMScriptRunner["run"]>) {
    try {
      return await super.run(...args);
    } catch (thrown) {
      const error = thrown as { name?: unknown; stack?: string } | null;
      if (error?.name === "SyntaxError" && error.stack?.includes("new SourceTextModule")) {
        const place = await placeOfSyntaxError(args[1]);
        if (place !== undefined) error.stack = `${place}\n\n${error.stack}`;
      }
      throw thrown;
    }
  }
}
