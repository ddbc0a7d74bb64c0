/** Sends requests to one object, wherever its state is kept and however often it is constructed again. */
import { URL } from "node:url";
import type { RequestInfo } from "@miniflare/core";
import * as core from "@miniflare/core";
import type { PluginContext } from "@miniflare/shared";
import { getRequestContext } from "@miniflare/shared";
import { Response as BaseResponse } from "undici";
import { DurableObjectError } from "../shared/error";
import { kEvicted, kFetch } from "../shared/symbols";
import { currentEffects } from "../storage/gates";
import { gateBody } from "./bodies";
import { type FetchInit, type FetchInput, inOwnClasses } from "./foreign-request";
import type { DurableObjectId } from "./id";
import type { DurableObjectFactory, ObjectRemote } from "./object-rpc";
import { eventContext } from "./request-context";
import { subrequest } from "./subrequest";

export type { DurableObjectFactory };

/** What Miniflare's packages use of each other but leave out of their types. */
interface CoreInternals {
  _buildUnknownProtocolWarning(url: URL): string;
  _urlFromRequestInput(input: RequestInfo): URL;
}

const { Request, Response, withImmutableHeaders, withInputGating } = core;
const { _buildUnknownProtocolWarning, _urlFromRequestInput } = core as unknown as CoreInternals;

/** What relative URLs are resolved against; nothing is ever sent there. */
const BASE_URL = "https://fake-host";

export class DurableObjectStub {
  readonly #factory: DurableObjectFactory;
  readonly #ctx: PluginContext | undefined;
  readonly #remote: ObjectRemote | undefined;

  /** `remote` is the way to the object of a worker with RPC. */
  constructor(
    factory: DurableObjectFactory,
    readonly id: DurableObjectId,
    ctx?: PluginContext,
    remote?: ObjectRemote,
  ) {
    this.#factory = factory;
    this.#ctx = ctx;
    this.#remote = remote;
  }

  get name(): string | undefined {
    return this.id.name;
  }

  fetch(input: FetchInput, init?: FetchInit): Promise<core.Response> {
    return subrequest(() => this.#fetch(input, init));
  }

  async #fetch(input: FetchInput, init?: FetchInit): Promise<core.Response> {
    const remote = this.#remote;
    let state = await (remote ? remote.reach() : this.#factory(this.id));
    // The object may be evicted just now; an error of a reset is the caller's.
    while (state[kEvicted]) state = await this.#factory(this.id);
    const request = this.#request(input, init);
    const caller = getRequestContext();
    caller?.incrementInternalSubrequests();
    const context = eventContext(this.#ctx?.usageModel, caller);
    const running = context.runWith(() => state[kFetch](request));
    const response: unknown = await (remote ? remote.explained(running, state) : running);
    caller?.advanceCurrentTime();
    if (response instanceof Response || response instanceof BaseResponse) {
      const given = withImmutableHeaders(response as core.Response);
      return currentEffects() ? withInputGating(given) : given;
    }
    throw new DurableObjectError(
      "ERR_RESPONSE_TYPE",
      "Durable Object fetch handler didn't respond with a Response object",
    );
  }

  #request(givenInput: FetchInput, givenInit?: FetchInit): core.Request {
    const [input, init] = inOwnClasses(givenInput, givenInit);
    const fullUrlRequired = this.#ctx?.compat.isEnabled("durable_object_fetch_requires_full_url");
    const target: RequestInfo =
      typeof input === "string" && !fullUrlRequired ? new URL(input, BASE_URL) : input;
    this.#checkProtocol(_urlFromRequestInput(target));
    const request = target instanceof Request && !init ? target : new Request(target, init);
    const effects = currentEffects();
    if (effects) gateBody(request, effects);
    return withInputGating(withImmutableHeaders(request));
  }

  #checkProtocol(url: URL): void {
    if (url.protocol === "http:" || url.protocol === "https:") return;
    if (this.#ctx?.compat.isEnabled("fetch_refuses_unknown_protocols")) {
      throw new TypeError(`Fetch API cannot load: ${url.toString()}`);
    }
    this.#ctx?.log.warn(_buildUnknownProtocolWarning(url));
  }
}
