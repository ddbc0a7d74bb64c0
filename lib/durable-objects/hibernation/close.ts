/** Checks the code and the reason of a close of a hibernating WebSocket, with production's messages. */
import { domException } from "../../rpc";
import { asString } from "./pair";

const REASON_BYTES_MAX = 123;
/** Codes that no close frame has. */
const RESERVED: ReadonlySet<number> = new Set([1004, 1005, 1006, 1015]);

/**
 * Returns the code and the reason as they are sent.
 *
 * # Errors
 * A `DOMException` for a code or a reason that a close frame cannot have.
 */
export function checkClose(givenCode: unknown, givenReason: unknown): [number?, string?] {
  if (givenCode === undefined) {
    if (givenReason === undefined) return [];
    throw invalid("If you specify a WebSocket close reason, you must also specify a code.");
  }
  const code = Math.trunc(Number(givenCode));
  if (!(code >= 1000 && code < 5000) || RESERVED.has(code)) {
    throw invalid(`Invalid WebSocket close code: ${code}.`);
  }
  if (givenReason === undefined) return [code];
  const reason = asString(givenReason);
  if (Buffer.byteLength(reason) > REASON_BYTES_MAX) {
    const text = `WebSocket close reason must not be longer than ${REASON_BYTES_MAX} bytes when UTF-8 encoded.`;
    throw domException(text, "SyntaxError");
  }
  return [code, reason];
}

function invalid(message: string): DOMException {
  return domException(message, "InvalidAccessError");
}
