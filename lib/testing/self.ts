/** `SELF` of `cloudflare:test`: the worker of a test environment, as a service. */
import type { RequestInfo, RequestInit, Response } from "@miniflare/core";
import { kDefaultService } from "../shared/symbols";
import type { TestCore } from "./core";

interface ScheduledOptions {
  scheduledTime?: Date | number;
  cron?: string;
}

/** Requests and scheduled events go to the worker; other members are those of its default export, over RPC. */
export function selfOf(core: TestCore): object {
  const own: Record<PropertyKey, unknown> = {
    fetch: (input: RequestInfo, init?: RequestInit): Promise<Response> =>
      core.dispatchFetch(input, init),

    scheduled: async ({ scheduledTime, cron }: ScheduledOptions = {}) => {
      const at = scheduledTime === undefined ? undefined : Number(scheduledTime);
      await core.dispatchScheduled(at, cron);
      return { outcome: "ok", noRetry: false };
    },
  };
  let service: Record<PropertyKey, unknown> | undefined;
  const note = async () => {
    const { DurableObjectsPlugin: plugin } = await core.getPlugins();
    service = plugin[kDefaultService] as typeof service;
  };
  // The environment tells why it could not be set up.
  note().catch(() => {});
  return new Proxy(own, {
    get: (target, key) => (Object.hasOwn(target, key) ? target[key] : service?.[key]),
  });
}
