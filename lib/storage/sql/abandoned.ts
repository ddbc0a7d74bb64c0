/** Ends cursors that a program does not use any more: SQLite keeps what they need until then. */
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

function close({ handle, id }: Left): void {
  try {
    handle.sqlClose(id);
  } catch {
    // The store is closed, and with it all cursors.
  }
}

const registry = new FinalizationRegistry<Left>(close);

/** Most cursors that are remembered until the end of a turn of the event loop. */
const NEW_MAX = 64;

/** Cursors of this turn: most of them have ended when it ends, and need not be watched. */
let fresh: { cursor: OpenCursor; handle: ObjectHandle }[] = [];

/** The cursor whose last row was taken last; 0 if it has ended. */
const ended: { handle: ObjectHandle | undefined; id: number } = { handle: undefined, id: 0 };

/** Ends a cursor with the next statement of its object, or at the end of the turn: that saves a call of the core. */
export function endLater(handle: ObjectHandle, id: number): void {
  endNow();
  if (fresh.length === 0) nextTick(watchOpen);
  ended.handle = handle;
  ended.id = id;
}

/** The cursor that the caller has to end now; 0 if there is none. */
export function takeEnded(handle: ObjectHandle): number {
  if (ended.handle !== handle) return 0;
  const { id } = ended;
  ended.id = 0;
  return id;
}

function endNow(): void {
  const { handle, id } = ended;
  ended.handle = undefined;
  ended.id = 0;
  if (id !== 0) close({ handle: handle!, id });
}

/** Ends a cursor when the garbage collector takes it. */
export function watchCursor(cursor: OpenCursor, handle: ObjectHandle): void {
  if (fresh.length === 0) nextTick(watchOpen);
  else if (fresh.length >= NEW_MAX) watchOpen();
  fresh.push({ cursor, handle });
}

function watchOpen(): void {
  endNow();
  for (const { cursor, handle } of fresh) {
    if (cursor.id !== 0) registry.register(cursor, { handle, id: cursor.id });
  }
  fresh = [];
}
