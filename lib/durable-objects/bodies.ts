/** Holds back the chunks of a body that an object sends: each leaves when what the object had written by then is durable. */
import { ReadableStream, type ReadableStreamDefaultReader } from "node:stream/web";
import * as core from "@miniflare/core";
import { Request as BaseRequest, Response as BaseResponse } from "undici";
import { symbolOf } from "../shared/symbol-of";

/** What Miniflare's package leaves out of its types. */
const { _kInner } = core as unknown as { _kInner: symbol };

/** What waits until what was written is durable. */
interface Leaving {
  leave(): Promise<void> | undefined;
}

/** The body as undici's classes keep it. One made of bytes or text is known from the start. */
interface InnerBody {
  stream: ReadableStream<Uint8Array>;
  source: unknown;
}

const kState = symbolOf(new BaseResponse(), "state");
const kBodyStream = symbolOf(new core.Response(), "kBodyStream");

/** Gates the body of a request or response, if it is a stream that nothing reads yet. Anything else is left as it is. */
export function gateBody(message: unknown, effects: Leaving): void {
  const inner = innerOf(message) as Record<symbol, { body: InnerBody | null }> | undefined;
  const body = inner?.[kState]?.body;
  if (!body || (body.source !== null && body.source !== undefined)) return;
  const shown = message as Record<symbol, ReadableStream | undefined>;
  if (body.stream.locked || shown[kBodyStream]?.locked) return;
  body.stream = gatedStream(body.stream, effects);
  // Made of the stream at its first use.
  if (shown[kBodyStream]) shown[kBodyStream] = undefined;
}

function innerOf(message: unknown): object | undefined {
  if (message instanceof BaseResponse || message instanceof BaseRequest) return message;
  if (message instanceof core.Response || message instanceof core.Request) {
    return (message as unknown as Record<symbol, object>)[_kInner];
  }
  return undefined;
}

/** Reads nothing before it is read. */
export function gatedStream(
  source: ReadableStream<Uint8Array>,
  effects: Leaving,
): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const gated = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= source.getReader() as ReadableStreamDefaultReader<Uint8Array>;
        const { done, value } = await reader.read();
        await effects.leave();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => (reader ?? source).cancel(reason),
    },
    { highWaterMark: 0 },
  );
  // A stream of a fixed length tells its length to the request that it becomes the body of.
  for (const symbol of Object.getOwnPropertySymbols(source)) {
    if (symbol.description !== "kContentLength") continue;
    Object.defineProperty(gated, symbol, Object.getOwnPropertyDescriptor(source, symbol)!);
  }
  return gated;
}
