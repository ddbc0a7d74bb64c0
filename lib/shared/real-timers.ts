/**
 * Keeps the timers of Node.js as they were when this module was loaded.
 *
 * Tests replace the global timers by fake ones. What only the package itself waits for must not stand still then.
 */
import timers from "node:timers";

export const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
/** A test environment whose global scope is that of a worker has none. */
export const setImmediate = globalThis.setImmediate ?? timers.setImmediate;
export const { nextTick } = process;
