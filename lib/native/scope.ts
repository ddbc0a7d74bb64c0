/**
 * Where an operation on a native object takes place.
 *
 * It crosses the border as one number, which costs nothing; `src/scope.rs` reads it.
 */
declare const brand: unique symbol;

export type Scope = number & { readonly [brand]: true };

/** Outside transactions. */
export const PLAIN = 0 as Scope;

/** In the running attempt of the transaction that the native `begin()` has given this number. */
export function inTransaction(id: number): Scope {
  return id as Scope;
}

/** Outside transactions, but issued by the closure of this attempt, which runs alone. */
export function besideAttempt(attempt: number): Scope {
  return -attempt as Scope;
}
