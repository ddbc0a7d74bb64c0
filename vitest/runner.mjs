// The runner that the plugin of `ferroflare/vitest` names to Vitest. Each file, each `describe` and each test gets a
// savepoint. Concurrent tests cannot: they share the savepoint of the group that they are in.
import * as vitest from "vitest";

const ISOLATION = Symbol.for("ferroflare.isolation");

/** The class `Base` with isolation, for projects that have a runner of their own. */
export function isolated(Base) {
  return class IsolatedRunner extends Base {
    /** The tasks that have a savepoint, outermost first. */
    #entered = [];

    async onBeforeRunSuite(suite) {
      this.#enter(suite);
      await super.onBeforeRunSuite?.(suite);
    }

    async onAfterRunSuite(suite) {
      await super.onAfterRunSuite?.(suite);
      this.#leave(suite);
    }

    async onBeforeRunTask(test) {
      if (test.mode === "run" || test.mode === "queued") this.#enter(test);
      await super.onBeforeRunTask?.(test);
    }

    async onBeforeTryTask(test, attempt) {
      if (attempt?.retry || attempt?.repeats) this.#enter(test);
      await super.onBeforeTryTask?.(test, attempt);
    }

    async onAfterRunTask(test) {
      await super.onAfterRunTask?.(test);
      this.#leave(test);
    }

    /** Vitest does not say of every task that it has ended. So savepoints end whose task is not around `task`. */
    #enter(task) {
      if (task.concurrent) return;
      const around = new Set();
      for (let at = task.suite ?? task.file; at && !around.has(at); at = at.suite ?? at.file) {
        around.add(at);
      }
      while (this.#entered.length > 0 && !around.has(this.#entered.at(-1))) this.#pop();
      this.#entered.push(task);
      globalThis[ISOLATION]?.push?.();
    }

    #leave(task) {
      while (this.#entered.includes(task)) this.#pop();
    }

    #pop() {
      this.#entered.pop();
      globalThis[ISOLATION]?.pop?.();
    }
  };
}

const { TestRunner = (await import("vitest/runners")).VitestTestRunner } = vitest;

export default isolated(TestRunner);
