/**
 * Gates what a worker gets from Miniflare's plugins, in code of objects: timers and waits are events of the object, and
 * `fetch()`, service bindings, queues and D1 are its subrequests.
 */
import { ReadableStream } from "node:stream/web";
import { BindingsPlugin, CorePlugin, Fetcher, Request, Scheduler } from "@miniflare/core";
import { D1DatabaseAPI } from "@miniflare/d1";
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
import { entering, subrequest } from "./subrequest";

// biome-ignore lint/suspicious/noExplicitAny: functions of all kinds are wrapped
type AnyFunction = (...args: any[]) => any;

const TIMERS = ["setTimeout", "setInterval"];

/** A timer that is set by an object calls back as an event of the object. */
function gateTimer(timer: AnyFunction): AnyFunction {
  return new Proxy(timer, {
    apply(target, self, [callback, ...args]) {
      const events = currentEvents();
      if (events === undefined || typeof callback !== "function") {
        return Reflect.apply(target, self, [callback, ...args]);
      }
      const fire = (...given: unknown[]) => events.object[kEnter](events, () => callback(...given));
      return runWithInputGate(undefined, () => Reflect.apply(target, self, [fire, ...args]));
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
        const response = await Reflect.apply(target, self, given);
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

function gateGlobals(globals: Context): Context {
  const gated = { ...globals };
  for (const name of TIMERS) {
    if (typeof gated[name] === "function") gated[name] = gateTimer(gated[name]);
  }
  if (typeof gated.fetch === "function") gated.fetch = gateFetch(gated.fetch);
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

/** Makes calls of a method subrequests. */
const asSubrequest = (method: AnyFunction) =>
  function (this: unknown, ...args: unknown[]) {
    return subrequest(() => method.apply(this, args));
  };

/** What a queue gets is as it was at the call. */
async function sendLater<T>(message: T, send: (copy: T) => Promise<void>): Promise<void> {
  const copy = structuredClone(message);
  return subrequest(() => send(copy));
}

replaceMethods(Fetcher.prototype, { fetch: asSubrequest });
replaceMethods(D1DatabaseAPI.prototype, { fetch: asSubrequest });
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
