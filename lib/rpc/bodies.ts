/**
 * Moves the Web's classes to the receiver: streams, requests and responses with their bodies, headers and the few
 * others.
 */
import { Blob } from "node:buffer";
import { ReadableStream, type ReadableStreamDefaultReader, WritableStream } from "node:stream/web";
import * as core from "@miniflare/core";
import { Request as BaseRequest, Response as BaseResponse, Headers } from "undici";
import { currentOutputGate } from "../shared/gate-context";
import type { Copying } from "./built-ins";
import { dataCloneError, newError, notSerializable } from "./error-kinds";
import { currentObject } from "./host";
import type { Realm } from "./realm";

/** What Miniflare's packages use of each other but leave out of their types. */
interface CoreInternals {
  _isByteStream(stream: ReadableStream): boolean;
}

const { Request, Response } = core;
const { _isByteStream } = core as unknown as CoreInternals;

type Request = core.Request;
type Response = core.Response;
type AnyRequest = Request | BaseRequest;
type AnyResponse = Response | BaseResponse;

const DISCONNECTED = "ReadableStream received over RPC disconnected prematurely.";

/** Returns `undefined` for what is none of these. */
export function copyBody(value: object, copying: Copying): object | undefined {
  if (value instanceof Headers) return new Headers(value);
  if (value instanceof Response || value instanceof BaseResponse)
    return movedResponse(value, copying.realm);
  if (value instanceof Request || value instanceof BaseRequest)
    return movedRequest(value, copying.realm);
  if (value instanceof ReadableStream) return movedReadable(value, copying.realm);
  if (value instanceof WritableStream) return movedWritable(value);
  if (Object.prototype.toString.call(value) === "[object AbortSignal]") {
    throw dataCloneError("AbortSignal serialization is not enabled.");
  }
  if (value instanceof Blob && value.constructor === Blob) {
    copying.count?.(value.size);
    // Immutable, so that both sides may have it.
    return value;
  }
  return undefined;
}

function movedResponse(response: AnyResponse, receiver: Realm): Response {
  const { status, statusText, headers } = response;
  const { webSocket = null, encodeBody } = response as Response & { encodeBody?: "manual" };
  if (webSocket !== null) throw notSerializable(webSocket);
  const init = { status, statusText, headers, encodeBody };
  return new Response(movedBody(response, receiver) as never, init as never);
}

function movedRequest(request: AnyRequest, receiver: Realm): Request {
  const { url, method, headers, redirect, signal } = request;
  const { cf } = request as Request;
  const body = movedBody(request, receiver);
  return new Request(url, { method, headers, redirect, signal, body, cf } as never);
}

function movedBody(source: AnyRequest | AnyResponse, receiver: Realm): ReadableStream | null {
  if (source.bodyUsed) throw locked();
  const body = source.body as ReadableStream | null;
  return body === null ? null : movedReadable(body, receiver);
}

function locked(): TypeError {
  return new TypeError("The ReadableStream has been locked to a reader.");
}

/** A stream of the same chunks; the given one is locked from now on. */
function movedReadable(stream: ReadableStream, receiver: Realm): ReadableStream {
  if (stream.locked) throw locked();
  const sender = new Sender(stream.getReader());
  const source = {
    async pull(controller: Controller) {
      const { done, value } = await sender.read().catch(() => {
        throw newError(receiver, "Error", DISCONNECTED);
      });
      if (!done) controller.enqueue(value);
      else {
        controller.close();
        (controller.byobRequest as { respond(bytes: number): void } | null | undefined)?.respond(0);
      }
    },
    cancel: (reason: unknown) => sender.cancel(reason),
  };
  if (!_isByteStream(stream)) return new ReadableStream(source as never, { highWaterMark: 0 });
  return new ReadableStream({ ...source, type: "bytes" } as never);
}

interface Controller {
  enqueue(chunk: unknown): void;
  close(): void;
  byobRequest?: unknown;
}

/** The sender's end of a stream. It ends with the object whose code has sent the stream. */
class Sender {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  /** What an object sends leaves when what it had written by then is durable. */
  readonly #effects = currentOutputGate();
  readonly #forget: (() => void) | undefined;
  #fail: (() => void) | undefined;
  #isGone = false;

  constructor(reader: ReadableStreamDefaultReader<unknown>) {
    this.#reader = reader;
    this.#forget = currentObject()?.onEnd?.(() => {
      this.#isGone = true;
      this.#fail?.();
    });
  }

  async read(): Promise<{ done: boolean; value?: unknown }> {
    try {
      const found = await this.#next();
      await this.#effects?.waitForOpen();
      if (found.done) this.#forget?.();
      return found;
    } catch (error) {
      this.#forget?.();
      throw error;
    }
  }

  cancel(reason: unknown): Promise<void> {
    this.#forget?.();
    return this.#reader.cancel(reason);
  }

  #next(): Promise<{ done: boolean; value?: unknown }> {
    return new Promise((resolve, reject) => {
      this.#fail = () => reject(new Error(DISCONNECTED));
      if (this.#isGone) this.#fail();
      else this.#reader.read().then(resolve, reject);
    });
  }
}

function movedWritable(stream: WritableStream): WritableStream {
  if (stream.locked) throw new TypeError("The WritableStream has been locked to a writer.");
  const writer = stream.getWriter();
  return new WritableStream({
    write: (chunk) => writer.write(chunk),
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason),
  });
}
