/**
 * Gates what a worker gets from Miniflare's plugins, in code of objects. Timers and waits become events of the object;
 * `fetch()`, service bindings and queues become its subrequests.
 */
import { ReadableStream } from "node:stream/web";
import { BindingsPlugin, CorePlugin, Fetcher, Request, Scheduler } from "@miniflare/core";
import { WorkerQueue } from "@miniflare/queues";
import type { Context, SetupResult } from "@miniflare/shared";
import { WebSocketPlugin } from "@miniflare/web-sockets";
import { Request as BaseRequest } from "undici";
import { runWithInputGate } from "../shared/gate-context";
import { replaceMethods } from "../shared/replace-methods";
import { kEnter } from "../shared/symbols";
import type { EffectGate } from "../storage/effect-gate";
import { currentEffects } from "../storage/gates";
import { gateBody, gatedStream } from "./bodies";
import { currentEvents } from "./event-gate";
import { adopt } from "./sockets";
import { asSubrequest, entering, subrequest } from "./subrequest";

// biome-ignore lint/suspicious/noExplicitAny: functions of all kinds are wrapped
type AnyFunction = (...args: any[]) => any;

/** What is known of a timer of an object. */
interface Timer {
  /** It has fired, and its event has not entered. */
  waits: boolean;
  cleared: boolean;
}

const timers = new WeakMap<object, Timer>();

/**
 * A timer that is set by an object calls back as an event of the object. An interval whose last event still waits
 * brings no further one.
 */
function gateTimer(setTimer: AnyFunction): AnyFunction {
  return new Proxy(setTimer, {
    apply(target, self, [callback, ...args]) {
      const events = currentEvents();
      if (events === undefined || typeof callback !== "function") {
        return Reflect.apply(target, self, [callback, ...args]);
      }
      const timer: Timer = { waits: false, cleared: false };
      const enter = (given: unknown[]) => {
        timer.waits = false;
        return timer.cleared ? undefined : callback(...given);
      };
      const fire = (...given: unknown[]) => {
        if (timer.waits) return;
        timer.waits = true;
        events.object[kEnter](events, () => enter(given));
      };
      const id = runWithInputGate(undefined, () => Reflect.apply(target, self, [fire, ...args]));
      if (typeof id === "object") timers.set(id, timer);
      return id;
    },
  });
}

/** An event that waits is cleared too. */
function gateClear(clearTimer: AnyFunction): AnyFunction {
  return new Proxy(clearTimer, {
    apply(target, self, args) {
      const timer = timers.get(args[0]);
      if (timer) timer.cleared = true;
      return Reflect.apply(target, self, args);
    },
  });
}

function gateFetch(fetch: AnyFunction): AnyFunction {
  return new Proxy(fetch, {
    apply(target, self, [input, init]) {
      const effects = currentEffects();
      if (effects === undefined) return Reflect.apply(target, self, [input, init]);
      gateBody(input, effects);
      const given = [input, gatedInit(init, effects)];
      return subrequest(async () => {
        // The answer waits for its turn once, behind this function.
        const response = await runWithInputGate(undefined, () =>
          Reflect.apply(target, self, given),
        );
        if (response.webSocket) adopt(response.webSocket);
        return response;
      });
    },
  });
}

/** The init of a request, with a body whose chunks are gated. */
function gatedInit(init: { body?: unknown } | undefined | null, effects: EffectGate): unknown {
  if (init instanceof Request || init instanceof BaseRequest) {
    gateBody(init, effects);
    return init;
  }
  const body = init?.body;
  if (!init || !(body instanceof ReadableStream) || body.locked) return init;
  return Object.create(init, { body: { value: gatedStream(body, effects) } });
}

const GATES = {
  setTimeout: gateTimer,
  setInterval: gateTimer,
  clearTimeout: gateClear,
  clearInterval: gateClear,
  fetch: gateFetch,
};

function gateGlobals(globals: Context): Context {
  const gated = { ...globals };
  for (const [name, gate] of Object.entries(GATES)) {
    if (typeof gated[name] === "function") gated[name] = gate(gated[name]);
  }
  return gated;
}

for (const Plugin of [CorePlugin, BindingsPlugin, WebSocketPlugin]) {
  replaceMethods(Plugin.prototype, {
    setup: (setup) =>
      async function (this: unknown, ...args) {
        const result: SetupResult = await setup.apply(this, args);
        return result?.globals ? { ...result, globals: gateGlobals(result.globals) } : result;
      },
  });
}

/** What a queue gets is as it was at the call. */
async function sendLater<T>(message: T, send: (copy: T) => Promise<void>): Promise<void> {
  const copy = structuredClone(message);
  return subrequest(() => send(copy));
}

replaceMethods(Fetcher.prototype, { fetch: asSubrequest });
replaceMethods(WorkerQueue.prototype, {
  send: (send) =>
    function (this: unknown, body: unknown, ...options: unknown[]) {
      return currentEvents() === undefined
        ? send.call(this, body, ...options)
        : sendLater(body, (copy) => send.call(this, copy, ...options));
    },
  sendBatch: (sendBatch) =>
    function (this: unknown, batch: Iterable<{ body: unknown }>) {
      return currentEvents() === undefined
        ? sendBatch.call(this, batch)
        : sendLater([...batch], (copies) => sendBatch.call(this, copies));
    },
});
replaceMethods(Scheduler.prototype, {
  wait: (wait) =>
    function (this: unknown, ...args: unknown[]) {
      const events = currentEvents();
      const waited = wait.apply(this, args);
      return events === undefined ? waited : entering(events, waited);
    },
});
