/** The native addon, as the rest of the face uses it. */
import { isMainThread } from "node:worker_threads";
import type * as Binding from "../../binding.js";
import { loadBinding } from "./load";
import { numbered, QuickHandle } from "./quick-handle";
import { classInRealm, functionInRealm } from "./realm";

const binding = loadBinding();

export const Completions = classInRealm(binding.Completions);
export const IdFactory = classInRealm(binding.IdFactory);
export const ObjectHandle = classInRealm(binding.ObjectHandle, () => QuickHandle.prototype);
export const Store = classInRealm(binding.Store, ({ object }) => ({
  object(this: Binding.Store, ...given: Parameters<Binding.Store["object"]>) {
    return numbered(Reflect.apply(object, this, given));
  },
}));
export const checkKey = functionInRealm(binding.checkKey);
export const checkKeyCount = functionInRealm(binding.checkKeyCount);
export type Completions = Binding.Completions;
export type IdFactory = Binding.IdFactory;
export type ObjectHandle = Binding.ObjectHandle;
export type Store = Binding.Store;

/** Shared by all realms of a process that load this module. */
const ending = Symbol.for("ferroflare.ending");

// Other threads end before the process does.
if (isMainThread && !Reflect.get(process, ending)) {
  Reflect.set(process, ending, true);
  // Before all other listeners: each of them gets the error that says why nothing is written any more.
  process.prependOnceListener("exit", binding.endThreads);
}

/** Limits of the storage API; bytes and counts. */
export const limits = binding.limits();

/** Version of the native core. */
export const coreVersion = binding.coreVersion();

/** What operations return instead of a result. */
export const { absent: ABSENT, overflow: OVERFLOW, lost: LOST } = binding.codes();
const { ticketFirst: TICKET_FIRST, writeUnit: WRITE_UNIT } = binding.codes();

/** Whether an operation's number is the ticket of an answer that comes later. */
export function isTicket(code: number): boolean {
  return code <= -TICKET_FIRST;
}

/** What to ask about the durability of a visible write; 0 if there is nothing to wait for. */
export function durabilityTicket(code: number): number {
  return Math.floor(code / WRITE_UNIT);
}

/** How many keys a visible write removed. */
export function removedKeys(code: number): number {
  return code % WRITE_UNIT;
}
