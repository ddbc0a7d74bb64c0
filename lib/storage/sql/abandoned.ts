/** Ends cursors that a program has stopped using before their end: SQLite keeps what they need until then. */
import type { ObjectHandle } from "../../native/addon";
import { nextTick } from "../../shared/real-timers";

/** A cursor of the core that may be open. */
export interface OpenCursor {
  /** Its number while it is open; else 0. */
  readonly id: number;
}

interface Left {
  handle: ObjectHandle;
  id: number;
}

const registry = new FinalizationRegistry<Left>(({ handle, id }) => {
  try {
    handle.sqlClose(id);
  } catch {
    // The store is closed, and with it all cursors.
  }
});

/** Most cursors that are remembered until the end of a turn of the event loop. */
const NEW_MAX = 64;

/** Cursors of this turn: most of them have ended when it ends, and need not be watched. */
let fresh: { cursor: OpenCursor; handle: ObjectHandle }[] = [];

/** Ends a cursor when the garbage collector takes it. */
export function watchCursor(cursor: OpenCursor, handle: ObjectHandle): void {
  if (fresh.length === 0) nextTick(watchOpen);
  else if (fresh.length >= NEW_MAX) watchOpen();
  fresh.push({ cursor, handle });
}

function watchOpen(): void {
  for (const { cursor, handle } of fresh) {
    if (cursor.id !== 0) registry.register(cursor, { handle, id: cursor.id });
  }
  fresh = [];
}
