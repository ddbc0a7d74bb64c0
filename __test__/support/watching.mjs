// A test runner that watches a project: waits for what it writes after each change.
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { until } from "./cli.mjs";

/** Starts a command of an installation that does not end by itself; the test's end kills it. */
export function watchWith(t, folder, [command, ...args]) {
  const { FORCE_COLOR: _, CI: __, ...inherited } = process.env;
  const child = spawn(path.join(folder, "node_modules", ".bin", command), args, {
    cwd: folder,
    env: { ...inherited, NO_COLOR: "1", NODE_OPTIONS: "" },
    // Vitest watches only while its input is open.
    stdio: ["pipe", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  t.after(
    () =>
      new Promise((resolve) => {
        child.on("close", resolve);
        child.kill("SIGKILL");
      }),
  );
  let from = 0;
  return {
    /** Waits for texts that come after the last ones that were waited for, in any order. */
    async shows(...patterns) {
      const found = await until(
        () => {
          const rest = output.slice(from);
          const ends = patterns.map((pattern) => {
            const match = pattern.exec(rest);
            return match ? match.index + match[0].length : undefined;
          });
          return ends.includes(undefined) ? undefined : Math.max(...ends);
        },
        `${patterns.join(" and ")} in:\n${output}`,
      );
      from += found;
    },
    async change(name, content) {
      from = output.length;
      await writeFile(path.join(folder, name), content);
    },
  };
}
