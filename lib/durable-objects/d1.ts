/** Makes statements for D1 databases subrequests of the object whose code sends them. */
import { replaceMethods } from "../shared/replace-methods";
import { asSubrequest } from "./subrequest";

let isGated = false;

/** Loads D1 when a worker is set up: programs that use only the storage do not need it. */
export function gateD1(): void {
  if (isGated) return;
  isGated = true;
  const { D1DatabaseAPI } = require("@miniflare/d1") as typeof import("@miniflare/d1");
  replaceMethods(D1DatabaseAPI.prototype, { fetch: asSubrequest });
}
