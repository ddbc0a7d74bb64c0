/** What modern objects and stubs know of one worker: its side of RPC, its module, its bindings, its exports. */
import type { Compatibility, Context, PluginContext } from "@miniflare/shared";
import { HOST, type Realm, realmOf, realmOfValue, type Side, type Style } from "../rpc";
import { isEnabled, refusesRpc } from "../workers/compatibility";
import { earlyBindings, keepEarlyWrites } from "../workers/early-bindings";
import { extendContexts, isEntrypoint } from "../workers/entrypoint";
import { watchEvents } from "../workers/events";
import { WORKERS_MODULE, type WorkersModule, workersModule } from "../workers/module";
import { nodeModules } from "../workers/node-modules";
import { entrypointStub } from "../workers/service";
import { DurableObject, isModern } from "./base";
import type { BoundClass } from "./classes";
import type { ModernContext } from "./modern-state";
import type { NamespaceSide } from "./object-rpc";

/** On the module `cloudflare:workers`: `(scope, Class) => void`; tells its worker where its script is about to run. */
export const kBeforeRun = Symbol.for("ferroflare.beforeRun");

/** The workers of this process, by their exports. */
const workers = new WeakMap<object, Worker>();

/** The worker whose script has these exports. */
export function workerOf(exports: Context): Worker | undefined {
  return workers.get(exports);
}

export class Worker {
  readonly #ctx: PluginContext;
  readonly #namespace: (name: string) => object;
  readonly #module: WorkersModule;
  #classes: Map<string, BoundClass> | undefined;
  #bindings: Context | undefined;
  #exports: object | undefined;
  #realm: Realm | undefined;
  #side: Side | undefined;
  #outside: Side | undefined;

  /** `namespace` makes the namespace of a binding. */
  constructor(ctx: PluginContext, namespace: (name: string) => object) {
    this.#ctx = ctx;
    this.#namespace = namespace;
    this.#module = workersModule(this, DurableObject);
    const value = (scope: EventTarget | undefined, Class: new () => object) => {
      this.enterRealm(Class);
      if (scope !== undefined) watchEvents(scope, this);
    };
    Object.defineProperty(this.#module, kBeforeRun, { value });
  }

  get compat(): Compatibility {
    return this.#ctx.compat;
  }

  get module(): WorkersModule {
    return this.#module;
  }

  /** What the worker's script can import. */
  additionalModules(): Record<string, Context> {
    const ofNode = this.compat.isEnabled("nodejs_compat") ? nodeModules() : {};
    return { ...ofNode, [WORKERS_MODULE]: this.#module };
  }

  /** The script is about to run again. */
  unload(): void {
    this.#bindings = undefined;
  }

  /** All bindings; before the script has run, what the plugins have set up. */
  get bindings(): Context {
    return this.#bindings ?? earlyBindings(this.compat);
  }

  get exports(): object | undefined {
    return isEnabled(this.compat, "exports") ? this.#exports : undefined;
  }

  /** The stub of the default export, with or without the flag of exports. */
  get defaultService(): object | undefined {
    return (this.#exports as Context | undefined)?.default;
  }

  get side(): Side {
    this.#side ??= { realm: this.#realm ?? HOST, style: this.#style() };
    return this.#side;
  }

  /** What an object of a class of this worker is given. */
  get context(): ModernContext {
    const { realm } = this.side;
    return { exports: this.exports, realm, usageModel: this.#ctx.usageModel };
  }

  /** What is known of a binding to the worker, or to code outside workers. */
  namespaceSide(name: string, outside: boolean): NamespaceSide {
    const worker = this;
    return {
      get side() {
        return outside ? worker.#outsideSide() : worker.side;
      },
      get hasRpc() {
        return worker.#hasRpc();
      },
      get withoutBase() {
        return isEnabled(worker.compat, "rpcWithoutBase");
      },
      usageModel: worker.#ctx.usageModel,
      get classRealm() {
        const bound = worker.#classes?.get(name);
        return bound && realmOf(bound.Class as unknown as new () => object);
      },
    };
  }

  /** Results of RPC are objects of the realm of `Class` from now on. */
  enterRealm(Class: new () => object): void {
    this.#realm = realmOf(Class);
    this.#side = undefined;
  }

  load(bindings: Context, exports: Context, classes: Map<string, BoundClass>): void {
    keepEarlyWrites(this.compat, bindings);
    this.#bindings = bindings;
    this.#classes = classes;
    this.#side = undefined;
    this.#outside = undefined;
    workers.set(exports, this);
    this.#realm ??= Object.values(exports)
      .map(realmOfValue)
      .find((realm) => realm !== undefined);
    this.#exports = this.#exportedFrom(exports);
  }

  #style(): Style {
    return {
      enhancedErrors: isEnabled(this.compat, "enhancedErrors"),
      dupStubs: isEnabled(this.compat, "dupStubs"),
    };
  }

  #outsideSide(): Side {
    this.#outside ??= { realm: HOST, style: this.#style() };
    return this.#outside;
  }

  #hasRpc(): boolean | undefined {
    if (refusesRpc(this.compat)) return false;
    if (isEnabled(this.compat, "rpcWithoutBase")) return true;
    if (this.#classes === undefined) return undefined;
    return [...this.#classes.values()].some(({ Class }) => isModern(Class));
  }

  /** Bound classes as namespaces, and what handles requests as services. */
  #exportedFrom(exports: Context): object {
    const shown: Context = {};
    for (const [name, value] of Object.entries(exports)) {
      const binding = [...this.#classes!].find(
        ([, bound]) => bound.exports === exports && bound.Class === value,
      );
      if (isEntrypoint(value)) {
        extendContexts(value, contextMembers(this));
        shown[name] = entrypointStub(value as never, this);
      } else if (binding !== undefined) shown[name] = this.#namespace(binding[0]);
      else if (typeof value?.fetch === "function") shown[name] = entrypointStub(value, this);
    }
    return shown;
  }
}

function contextMembers(worker: Worker): object {
  return {
    props: {},
    get exports() {
      return worker.exports;
    },
  };
}
