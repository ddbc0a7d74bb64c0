/** The class `WebSocketRequestResponsePair`: a message, and what it is answered with while the object sleeps. */

const NAME = "WebSocketRequestResponsePair";

class RequestResponsePair {
  readonly #request: string;
  readonly #response: string;

  constructor(...given: [request: string, response: string]) {
    for (const position of [1, 2]) {
      if (given.length < position) throw missing(position);
    }
    this.#request = asString(given[0]);
    this.#response = asString(given[1]);
  }

  get request(): string {
    return this.#request;
  }

  get response(): string {
    return this.#response;
  }

  get [Symbol.toStringTag](): string {
    return NAME;
  }
}

Object.defineProperty(RequestResponsePair, "name", { value: NAME });

/** Says in production's words that it is a class. */
export const WebSocketRequestResponsePair: typeof RequestResponsePair = new Proxy(
  RequestResponsePair,
  {
    apply() {
      throw new TypeError(
        `Failed to construct '${NAME}': Please use the 'new' operator, this object constructor cannot be called as a function.`,
      );
    },
  },
);

Object.defineProperty(RequestResponsePair.prototype, "constructor", {
  value: WebSocketRequestResponsePair,
  writable: true,
  configurable: true,
});

/**
 * # Errors
 * A `TypeError` for a symbol.
 */
export function asString(value: unknown): string {
  return `${value as string}`;
}

function missing(position: number): TypeError {
  return new TypeError(
    `Failed to construct '${NAME}': constructor parameter ${position} is not of type 'string'.`,
  );
}
