/** Names the members that the modules of the face use on each other and that a worker must not see. */

/** On an id and on a namespace: the name of the binding it belongs to. */
export const kObjectName = Symbol("kObjectName");

/** On a state: the running instance of the user's class. */
export const kInstance = Symbol("kInstance");
/** On a state: `(construct) => void`; constructs the instance as code of the object. */
export const kConstruct = Symbol("kConstruct");
/** On a state: handles one request. */
export const kFetch = Symbol("kFetch");
/** On a state: `(info?) => Promise`; runs the alarm handler; the alarm has been claimed before. */
export const kAlarm = Symbol("kAlarm");
/** On a state: `(error) => void`; ends the object, so that its callers get `error` and the next request constructs it again. */
export const kReset = Symbol("kReset");
/** On a state: `() => Promise`; resolves when nothing runs in the object. */
export const kIdle = Symbol("kIdle");
/** On a state: `(callback) => () => void`; calls back when the object is reset or evicted. Gives what forgets the callback. */
export const kOnEnd = Symbol("kOnEnd");
/** On a state: `(gate, handler) => void`; runs the handler as an event that no caller waits for, in its turn at that gate. */
export const kEnter = Symbol("kEnter");
/** On a state: `() => Promise | undefined`; waits until what the object has written is durable, if it is not. */
export const kLeave = Symbol("kLeave");
/** On a state: the WebSockets that the object has accepted or opened. */
export const kSockets = Symbol("kSockets");
/**
 * On a state: `(first?) => boolean`; ends the object if nothing runs in it: no event enters any more, and sockets close.
 * `first` is called before.
 */
export const kEnd = Symbol("kEnd");
/** On a state: the gate that its events have to pass. */
export const kEvents = Symbol("kEvents");
/** On a state of a modern class: `(handler, args) => Promise`; runs a handler of WebSockets as code of the object. */
export const kHear = Symbol("kHear");
/** On a state of a modern class: `() => void`; lets its WebSockets sleep, as far as they were accepted for hibernation. */
export const kSleep = Symbol("kSleep");
/** On a state: whether the object has been evicted. */
export const kEvicted = Symbol("kEvicted");
/** On a state: `(closure) => Promise`; runs the closure as if it were a request to the object. */
export const _kRunWithGates = Symbol("kRunWithGates");

/** On a state: whether it has been reset, and why. */
export const kBroken = Symbol("kBroken");
/** On a state: the error of a request to an object that has no `fetch()`. */
export const kNoFetch = Symbol("kNoFetch");
/** On a state of a modern class: `() => void`; the object is not used any more, and what it has passed to others ends. */
export const kRetire = Symbol("kRetire");
/** On a state of a modern class: whether `kRetire` was called. */
export const kRetired = Symbol("kRetired");

/** On a storage: whether the object's class has an alarm handler, as far as is known; true before the first construction. */
export const kAlarmExists = Symbol("kAlarmExists");
/** On a storage: `(error) => void` or undefined; the storage calls it when a write that was reported as done cannot be made durable. */
export const kOnBroken = Symbol("kOnBroken");
/** On a storage: whether `getAlarm()` is null whatever is set. */
export const kAlarmHidden = Symbol("kAlarmHidden");
/** On a storage: `() => void`; throws at once if no alarm may be set. */
export const kCheckHandler = Symbol("kCheckHandler");
/** On a storage: `(scheduledTime, owner) => number`; the time of an alarm that may be set, in milliseconds. */
export const kAlarmTime = Symbol("kAlarmTime");
/** On the storage of a running modern object: `() => void`; takes back what was written in this turn of the event loop. */
export const kUndo = Symbol("kUndo");
/** On the storage of a running modern object: `() => void`; what was written in this turn stays. */
export const kEndTurn = Symbol("kEndTurn");
/** On the storage of a running modern object: `(reason) => void`; every later operation rejects. */
export const kCut = Symbol("kCut");
/** On the storage of a modern object: why every operation rejects, if it does. */
export const kCutReason = Symbol("kCutReason");
/** On the storage of a running modern object: `() => void`; what is written from now on can be taken back. */
export const kBeginTurn = Symbol("kBeginTurn");
/** On a storage: `() => void`; ends the batch of what is written now, later in this turn of the event loop. */
export const kSealLater = Symbol("kSealLater");
/** On a storage: `(ticket) => Promise | undefined`; holds the effects of the object until a write is durable. */
export const kFollow = Symbol("kFollow");
/** On a storage: `(code) => number`; the ticket of a write that is to be waited for, 0 for none. */
export const kTicketOf = Symbol("kTicketOf");
/** On a storage: `() => number`; the ticket of what a read may have seen, 0 for none. */
export const kPendingTicket = Symbol("kPendingTicket");
/** On a storage: `() => void`; has the timers of alarms look at the stored alarms again. */
export const kRearm = Symbol("kRearm");
/** On the storage of a SQLite-backed object: `() => Promise`; opens the database. */
export const kOpen = Symbol("kOpen");
/** On the storage of a SQLite-backed object: `() => void`; commits what is written, and closes the database for good. */
export const kClose = Symbol("kClose");
/** On the storage of a SQLite-backed object: `() => boolean`; whether another process waits for the object. */
export const kWanted = Symbol("kWanted");
/** On the storage of a SQLite-backed object: `() => void`; closes the database until an asynchronous operation opens it again. */
export const kRelease = Symbol("kRelease");
/** On a storage: refuses a value that is not to be stored. */
export const kCheckValue = Symbol("kCheckValue");
/** On a state: whether nothing runs in the object, and nothing waits to run. */
export const kIsIdle = Symbol("kIsIdle");
/** On a storage: `() => boolean`; lets its database be closed until it is used again, and says whether it does. */
export const kRest = Symbol("kRest");
/** On a storage: `() => Promise<void> | undefined`; opens a database that rests. */
export const kReopen = Symbol("kReopen");
/** On a storage: `() => void`; its database has failed, and is opened again when it is used again. */
export const kLose = Symbol("kLose");
/** On a storage: its native handle. */
export const kHandle = Symbol("kHandle");

/** On an alarm store: `(name, timeMs, key?) => void`; makes its timer follow an alarm that was set, or deleted (null), of the object with that key. */
export const kWake = Symbol("kWake");
/** On a plugin: `(error) => void`; tells requests that wait for a reload that it failed. */
export const kReloadFailed = Symbol("kReloadFailed");
/** On a plugin: `(name) => string[]`; ids of the objects of a binding that hold anything or are running, in order. */
export const kListIds = Symbol("kListIds");
/**
 * On a plugin: `(id?, webSockets?) => Promise`; discards a running object, or all, when nothing runs in it. Its
 * hibernating WebSockets stay open, or close.
 */
export const kEvict = Symbol("kEvict");
/**
 * On a plugin: `(savepoint?) => void`; discards every running object at once. What still runs in them goes on without
 * being heard. Hibernating WebSockets that were accepted in this savepoint of a test, or in an outer one, stay open.
 */
export const kForgetObjects = Symbol("kForgetObjects");
/** On a plugin: `(savepoint) => void`; closes hibernating WebSockets that were accepted in an inner savepoint of a test. */
export const kEnterSavepoint = Symbol("kEnterSavepoint");
/** On a plugin: `(reason) => void`; resets every object. */
export const kAbortObjects = Symbol("kAbortObjects");
/** On a plugin: `() => Promise`; deletes what the objects of its bindings have stored. */
export const kDeleteObjects = Symbol("kDeleteObjects");
/** On a plugin: the stub of the default export of its worker, if that handles events. */
export const kDefaultService = Symbol("kDefaultService");
/** On a plugin: the module `cloudflare:workers` of its worker. */
export const kWorkersModule = Symbol("kWorkersModule");
/** On a plugin: `(id) => Promise<boolean>`; runs an object's alarm now if it is set. */
export const kRunAlarm = Symbol("kRunAlarm");
/** On a plugin: `(name) => boolean`; whether the objects of a binding are SQLite-backed. */
export const kIsSqlite = Symbol("kIsSqlite");

/** On a storage in SQLite: what the storages of its object have in common. */
export const kConnection = Symbol("kConnection");
/** On a storage in SQLite: what opens its database, and knows whether that is open. */
export const kOpening = Symbol("kOpening");
/** On a storage in SQLite: whether it is the one of a running object. */
export const kIsOfObject = Symbol("kIsOfObject");
