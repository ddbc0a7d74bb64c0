/** Takes requests of other classes than Miniflare's: those of Node.js, or of another copy of undici or of Miniflare. */
import { URLSearchParams } from "node:url";
import type { RequestInfo, RequestInit } from "@miniflare/core";
import * as core from "@miniflare/core";

/** What Miniflare's packages use of each other but leave out of their types. */
interface CoreInternals {
  /** On a request: the request of undici that it wraps. */
  _kInner: "_kInner";
}

/** A request of any class. */
export interface AnyRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: object;
  readonly body: object | null;
  readonly bodyUsed: boolean;
  readonly redirect: string;
  readonly signal?: object;
  clone(): unknown;
}

/** What `fetch()` takes in the place of a URL. */
export type FetchInput = RequestInfo | AnyRequest;
/** What `fetch()` takes beside it. */
export type FetchInit = RequestInit | AnyRequest;

const { Request: OwnRequest } = core;
const { _kInner } = core as unknown as CoreInternals;

/** The arguments of `fetch()` or of `new Request()` in classes that Miniflare's `Request` takes. */
export function inOwnClasses(
  input: FetchInput,
  init?: FetchInit,
): [input: RequestInfo, init: RequestInit | undefined] {
  const ownInit = isForeign(init) ? membersOf(init) : withOwnParams(init);
  if (!isForeign(input)) return [input, ownInit];
  const isBodyReplaced = ownInit?.body !== undefined && ownInit.body !== null;
  return [new OwnRequest(input.url, membersOf(input, isBodyReplaced)), ownInit];
}

/** Whether a value is a request of a class that Miniflare's `Request` does not take. */
function isForeign(value: unknown): value is AnyRequest {
  if (typeof value !== "object" || value === null || value instanceof OwnRequest) return false;
  const { url, method, headers, clone } = value as Partial<AnyRequest>;
  if (typeof url !== "string" || typeof method !== "string") return false;
  if (typeof headers !== "object" || typeof clone !== "function") return false;
  return !(value instanceof undiciRequest());
}

let known: CallableFunction | undefined;

/** The class `Request` of the copy of undici that Miniflare uses. */
function undiciRequest(): CallableFunction {
  if (known === undefined) {
    const own = new OwnRequest("http://localhost/") as unknown as Record<string, object>;
    known = own[_kInner]!.constructor;
  }
  return known;
}

/**
 * The members of a request that make another one like it, which takes over its body.
 *
 * # Errors
 * A `TypeError` if the body has been used.
 */
function membersOf(request: AnyRequest, withoutBody = false): RequestInit {
  const { method, redirect, signal, cf } = request as AnyRequest & Pick<RequestInit, "cf">;
  if (request.bodyUsed && !withoutBody) {
    throw new TypeError(
      "Cannot construct a Request with a Request object that has already been used.",
    );
  }
  const body = withoutBody ? null : request.body;
  const headers = [...(request.headers as Iterable<[string, string]>)];
  return { method, headers, body, redirect, signal, cf } as RequestInit;
}

/** `URLSearchParams` of another copy than Node.js's would be sent as plain text. */
function withOwnParams(init?: RequestInit): RequestInit | undefined {
  const body: unknown = init?.body;
  if (body instanceof URLSearchParams || typeof body !== "object" || body === null) return init;
  if (Object.prototype.toString.call(body) !== "[object URLSearchParams]") return init;
  return { ...init, body: new URLSearchParams(String(body)) };
}
