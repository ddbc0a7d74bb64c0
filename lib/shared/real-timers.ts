/**
 * Keeps the timers of Node.js as they were when this module was loaded.
 *
 * Tests replace the global timers by fake ones. What only the package itself waits for must not stand still then.
 */
export const { setTimeout, clearTimeout, setImmediate, setInterval, clearInterval } = globalThis;
export const { nextTick } = process;
