/**
 * Follows a plugin through reloads, so that namespaces and stubs handed out once go on working.
 *
 * Miniflare keeps a plugin whose options did not change and otherwise disposes it and constructs its heir at once.
 */
import { withDeadline } from "../shared/deadline";
import { DurableObjectError } from "../shared/error";
import { setImmediate } from "../shared/real-timers";

/** A worker that takes longer than this between the start of a reload and its end has failed to reload. */
const RELOAD_LIMIT_MS = 30_000;

/**
 * created, serving, failed --begin--> reloading --serve--> serving, or --fail--> failed;
 * anything --retire--> retired, which is final.
 */
type Phase<P> =
  | { kind: "created" | "reloading" | "serving" }
  | { kind: "failed"; error: unknown }
  | { kind: "retired"; heir: Promise<Reloads<P> | undefined> };

/** Retired plugins whose heir is not constructed yet, by what a plugin and its heir have in common. */
const vacancies = new WeakMap<object, (heir: unknown) => void>();

function disposed(): DurableObjectError {
  return new DurableObjectError(
    "ERR_DISPOSED",
    "This Durable Object cannot be reached any more: its Miniflare instance has been disposed. Get the namespace again from a new instance.",
  );
}

function reloadTooLong(): DurableObjectError {
  return new DurableObjectError(
    "ERR_TIMEOUT",
    `This Durable Object cannot be reached: its worker has not finished reloading within ${RELOAD_LIMIT_MS / 1000} seconds. Look for the error of the last reload.`,
  );
}

export class Reloads<P> {
  readonly plugin: P;
  readonly #lineage: object;
  #phase: Phase<P> = { kind: "created" };
  #changed!: Promise<void>;
  #announce!: () => void;

  /** `lineage` is an object that this plugin shares with its heir and, while one waits for the other, with no third. */
  constructor(plugin: P, lineage: object) {
    this.plugin = plugin;
    this.#lineage = lineage;
    this.#expectChange();
    vacancies.get(lineage)?.(this);
    vacancies.delete(lineage);
  }

  /** Whether a reload has begun, ever. */
  get begun(): boolean {
    return this.#phase.kind !== "created";
  }

  begin(): void {
    this.#enter({ kind: "reloading" });
  }

  serve(): void {
    this.#enter({ kind: "serving" });
  }

  fail(error: unknown): void {
    this.#enter({ kind: "failed", error });
  }

  /**
   * Ends this plugin, and says which plugin took over. If its heir is to be constructed, that must follow in the same
   * turn of the event loop.
   */
  retire(): Promise<Reloads<P> | undefined> {
    const heir = new Promise<Reloads<P> | undefined>((resolve) => {
      const fill = (reloads: unknown) => resolve(reloads as Reloads<P> | undefined);
      vacancies.set(this.#lineage, fill);
      setImmediate(fill);
    });
    this.#enter({ kind: "retired", heir });
    return heir;
  }

  /**
   * Waits for the plugin that serves now: this one, or the one that took over from it.
   *
   * # Errors
   * The error of the last reload if it failed; `ERR_DISPOSED` without an heir; `ERR_TIMEOUT` after 30 seconds.
   */
  async serving(): Promise<P> {
    let current: Reloads<P> = this;
    for (;;) {
      const phase = current.#phase;
      if (phase.kind === "serving") return current.plugin;
      if (phase.kind === "failed") throw phase.error;
      if (phase.kind === "retired") {
        const heir = await phase.heir;
        if (heir === undefined) throw disposed();
        current = heir;
      } else {
        await withDeadline(current.#changed, RELOAD_LIMIT_MS, reloadTooLong);
      }
    }
  }

  #enter(phase: Phase<P>): void {
    if (this.#phase.kind === "retired") return;
    this.#phase = phase;
    this.#announce();
    this.#expectChange();
  }

  #expectChange(): void {
    this.#changed = new Promise((resolve) => {
      this.#announce = resolve;
    });
  }
}
