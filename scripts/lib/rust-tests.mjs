/** Runs the Rust tests of the workspace. */
import { cargo } from "./cargo.mjs";

/** Resolves with how many passed and failed, and the failure of the run, if any. */
export async function runRustTests() {
  let output = "";
  const stdout = (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  };
  const failure = await cargo(["test", "--release", "--workspace", "--no-fail-fast"], {
    name: "cargo test",
    minutesMax: 60,
    stdout,
  }).then(
    () => null,
    (error) => error,
  );
  const results = [...output.matchAll(/^test result: \S+\. (\d+) passed; (\d+) failed;/gm)];
  const total = (group) => results.reduce((sum, match) => sum + Number(match[group]), 0);
  return { passed: total(1), failed: total(2), failure };
}
