/** Makes statements for D1 databases subrequests of the object whose code sends them. */
import { replaceMethods } from "../shared/replace-methods";
import { asSubrequest } from "./subrequest";

let gating: Promise<void> | undefined;

/** Loads D1 when a worker is set up: programs that use only the storage do not need it. */
export function gateD1(): Promise<void> {
  gating ??= import("@miniflare/d1").then(({ D1DatabaseAPI }) =>
    replaceMethods(D1DatabaseAPI.prototype, { fetch: asSubrequest }),
  );
  return gating;
}
