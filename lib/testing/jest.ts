/** The Jest environment `ferroflare/jest`: tests run in the global scope of a worker, each with its own storage. */
import vm from "node:vm";
import { defineHasInstances } from "@miniflare/runner-vm";
import type { Context } from "@miniflare/shared";
import { ScriptRunner } from "../miniflare/script-runner";
import { defineDisposeSymbols } from "../shared/dispose";
import { type CoverageConfig, warnOfJestCoverage } from "./coverage";
import { TestEnvironment, type TestEnvironmentOptions } from "./environment";
import { hideOwnFrames, STACK_FRAMES, startFailure } from "./failure";
import { type FakeTimers, type JestPackages, jestPackages } from "./jest-packages";

/** What is used of a project's configuration, in all versions of Jest from 27 on. */
interface ProjectConfig {
  rootDir: string;
  globals: object;
  testEnvironmentOptions: TestEnvironmentOptions & { customExportConditions?: unknown };
}

/** Jest 27 gives the configuration itself. */
type EnvironmentConfig =
  | ProjectConfig
  | { projectConfig: ProjectConfig; globalConfig?: CoverageConfig };

/** Events of Jest's runner that begin and end a savepoint. Skipped tests begin, but are never done. */
const BEGINS = new Set(["run_describe_start", "test_start"]);
const ENDS = new Set(["run_describe_finish", "test_done", "test_skip", "test_todo"]);

/** Events that have an error, which Jest shows later. */
const FAILURES = new Set(["test_fn_failure", "hook_failure", "error"]);

interface TestEvent {
  name: string;
  test?: { concurrent?: boolean };
  error?: unknown;
}

/** Timers whose functions must be the test's own, so that fake ones reach the worker. */
const TIMERS = ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] as const;

export default class FerroflareEnvironment {
  context: vm.Context | null;
  fakeTimers: FakeTimers | null;
  fakeTimersModern: FakeTimers | null;
  readonly global: Context;
  readonly moduleMocker: unknown;
  readonly #options: TestEnvironmentOptions;
  readonly #exportConditions: string[];
  #environment: TestEnvironment | undefined;

  constructor(config: EnvironmentConfig) {
    const project = "projectConfig" in config ? config.projectConfig : config;
    if ("globalConfig" in config) warnOfJestCoverage(config.globalConfig);
    const { customExportConditions, ...options } = project.testEnvironmentOptions;
    this.#options = options;
    this.#exportConditions = checkConditions(customExportConditions);
    const packages = jestPackages(project.rootDir);
    this.context = vm.createContext({});
    defineHasInstances(this.context);
    this.global = vm.runInContext("this", this.context);
    defineDisposeSymbols(this.global.Symbol);
    installGlobals(this.global, packages, project);
    this.moduleMocker = new packages.ModuleMocker(this.global);
    const { global, moduleMocker } = this;
    const timerConfig = { idToRef, refToId };
    const timers = { config: project, global, moduleMocker, timerConfig };
    this.fakeTimers = new packages.LegacyFakeTimers(timers);
    this.fakeTimersModern = new packages.ModernFakeTimers({ config: project, global });
  }

  async setup(): Promise<void> {
    const { global } = this;
    const timers = Object.fromEntries(TIMERS.map((name) => [name, global[name]]));
    const scriptRunner = new ScriptRunner(this.context!, STACK_FRAMES);
    const overrides = { console: global.console, ...timers };
    try {
      this.#environment = await TestEnvironment.create(scriptRunner, this.#options, overrides);
    } catch (error) {
      throw startFailure(error, false);
    }
    Object.assign(global, this.#environment.globals, { global, self: global });
    this.#environment.enterRealm(global.Object);
  }

  async teardown(): Promise<void> {
    await this.#environment?.dispose();
    this.fakeTimers?.dispose();
    this.fakeTimersModern?.dispose();
    this.context = null;
    this.fakeTimers = null;
    this.fakeTimersModern = null;
  }

  exportConditions(): string[] {
    return this.#exportConditions;
  }

  getVmContext(): vm.Context | null {
    return this.context;
  }

  handleTestEvent(event: TestEvent): void {
    if (FAILURES.has(event.name)) hideOwnFrames(event.error);
    // These run beside others, whose savepoints must not end with theirs.
    if (event.test?.concurrent) return;
    if (BEGINS.has(event.name)) this.#environment?.push();
    if (ENDS.has(event.name)) this.#environment?.pop();
  }
}

function installGlobals(global: Context, packages: JestPackages, { globals }: ProjectConfig): void {
  Object.assign(global, { global, self: global, Buffer });
  for (const name of TIMERS) global[name] = globalThis[name];
  packages.installCommonGlobals(global, globals);
}

function checkConditions(conditions: unknown): string[] {
  if (conditions === undefined) return ["worker", "browser"];
  if (Array.isArray(conditions) && conditions.every((item) => typeof item === "string")) {
    return conditions;
  }
  throw new TypeError(
    `testEnvironmentOptions.customExportConditions must be an array of strings, not ${JSON.stringify(conditions)}`,
  );
}

/** Timers are plain numbers to legacy fake timers. */
function idToRef(id: number) {
  return {
    id,
    ref() {
      return this;
    },
    unref() {
      return this;
    },
  };
}

function refToId(timer: { id?: number } | undefined): number | undefined {
  return timer?.id || undefined;
}
