/** Types of what tests pass to the helpers. Types of @cloudflare/workers-types fit too. */

export interface AnyId {
  toString(): string;
}

export interface AnyStub {
  readonly id: AnyId;
}

export interface AnyNamespace {
  idFromString(id: string): AnyId;
}

/** What becomes of WebSockets that hibernate; they stay open by default. */
export interface EvictionOptions {
  webSockets?: "hibernate" | "close";
}
