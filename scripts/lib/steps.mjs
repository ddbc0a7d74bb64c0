/** A run of named steps: each is attempted, and a table at the end says how each went. */
import { Failure } from "./program.mjs";
import { heading, secondsSince, table } from "./report.mjs";

export class Steps {
  #rows = [];
  #start = Date.now();

  /** How many tests passed and failed in all steps so far. */
  passed = 0;
  failed = 0;

  /** Whether a step has failed. */
  get anyFailed() {
    return this.#rows.some(({ result }) => result !== "ok");
  }

  /**
   * Runs `action`, which may return `{ passed, failed, failure }`; resolves with whether it went well. A thrown `Failure`
   * fails the step and lets the run go on; any other error is a defect of the scripts and ends it.
   */
  async step(name, action) {
    console.log(heading(name));
    const start = Date.now();
    const row = { name, result: "ok", tests: "" };
    try {
      const outcome = (await action()) ?? {};
      if (outcome.passed !== undefined) {
        this.passed += outcome.passed;
        this.failed += outcome.failed;
        row.tests = `${outcome.passed} passed, ${outcome.failed} failed`;
      }
      if (outcome.failure) throw outcome.failure;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      row.result = "FAILED";
      console.log(error.message);
    }
    row.elapsed = secondsSince(start);
    this.#rows.push(row);
    console.log(`${name}: ${row.result}, ${row.elapsed}`);
    return row.result === "ok";
  }

  /** Notes a step that could not be attempted because an earlier one failed. */
  omit(name) {
    this.#rows.push({ name, result: "not run", tests: "", elapsed: "" });
  }

  /** Prints the table of steps and the number of tests; returns the exit code. */
  summarize() {
    console.log(heading("Summary"));
    console.log(
      table(this.#rows.map(({ name, result, elapsed, tests }) => [name, result, elapsed, tests])),
    );
    console.log(`\n${this.anyFailed ? "FAILED" : "OK"} in ${secondsSince(this.#start)}`);
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return this.anyFailed ? 1 : 0;
  }
}
