/** Moves what has a stream to the receiver: headers, requests, responses, streams; and the little else of the Web's. */
import { Blob } from "node:buffer";
import { ReadableStream, WritableStream } from "node:stream/web";
import * as core from "@miniflare/core";
import { Request as BaseRequest, Response as BaseResponse, Headers } from "undici";
import { currentOutputGate } from "../shared/gate-context";
import type { Copying } from "./built-ins";
import { dataCloneError, notSerializable } from "./error-kinds";

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

/** Returns `undefined` for what is none of these. */
export function copyBody(value: object, copying: Copying): object | undefined {
  if (value instanceof Headers) return new Headers(value);
  if (value instanceof Response || value instanceof BaseResponse) return movedResponse(value);
  if (value instanceof Request || value instanceof BaseRequest) return movedRequest(value);
  if (value instanceof ReadableStream) return movedReadable(value);
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

function movedResponse(response: AnyResponse): Response {
  const { status, statusText, headers } = response;
  const { webSocket = null, encodeBody } = response as Response & { encodeBody?: "manual" };
  if (webSocket !== null) throw notSerializable(webSocket);
  const init = { status, statusText, headers, encodeBody };
  return new Response(movedBody(response) as never, init as never);
}

function movedRequest(request: AnyRequest): Request {
  const { url, method, headers, redirect, signal } = request;
  const { cf } = request as Request;
  const body = movedBody(request);
  return new Request(url, { method, headers, redirect, signal, body, cf } as never);
}

function movedBody(source: AnyRequest | AnyResponse): ReadableStream | null {
  if (source.bodyUsed) throw locked();
  const body = source.body as ReadableStream | null;
  return body === null ? null : movedReadable(body);
}

function locked(): TypeError {
  return new TypeError("The ReadableStream has been locked to a reader.");
}

/** A stream of the same chunks; the given one is locked from now on. */
function movedReadable(stream: ReadableStream): ReadableStream {
  if (stream.locked) throw locked();
  const reader = stream.getReader();
  // What an object sends leaves when what it had written by then is durable.
  const effects = currentOutputGate();
  const source = {
    async pull(controller: {
      enqueue(chunk: unknown): void;
      close(): void;
      byobRequest?: unknown;
    }) {
      const { done, value } = await reader.read();
      await effects?.waitForOpen();
      if (!done) controller.enqueue(value);
      else {
        controller.close();
        (controller.byobRequest as { respond(bytes: number): void } | null | undefined)?.respond(0);
      }
    },
    cancel: (reason: unknown) => reader.cancel(reason),
  };
  if (!_isByteStream(stream)) return new ReadableStream(source as never, { highWaterMark: 0 });
  return new ReadableStream({ ...source, type: "bytes" } as never);
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
