/** Makes what an object gets when it is constructed, by its class: a state, bindings, a storage. */
import type { Context } from "@miniflare/shared";
import type { ObjectHandle } from "../native/addon";
import { realmOf } from "../rpc";
import { kConnection } from "../shared/symbols";
import { MODERN_VALUE_BYTES_MAX, ModernStorage } from "../storage/modern-storage";
import type { DurableObjectAlarmBridge } from "../storage/options";
import { Connection } from "../storage/sql/connection";
import { OWN_REALM } from "../storage/sql/realm";
import { SqliteStorage } from "../storage/sql/sqlite-storage";
import { refuseObjectsOf } from "../storage/sql/storable";
import { DurableObjectStorage } from "../storage/storage";
import { isEnabled } from "../workers/compatibility";
import { isModern } from "./base";
import type { BoundClass } from "./classes";
import type { ObjectSockets } from "./hibernation/object-sockets";
import { addressOf, DurableObjectId, type IdLike } from "./id";
import { ModernState } from "./modern-state";
import { nameInside } from "./names";
import { valueBytesMax } from "./options";
import { DurableObjectState, type StateOwner } from "./state";
import { type Worker, workerOf } from "./worker";

export interface Constructed {
  id: IdLike;
  bound: BoundClass;
  storage: DurableObjectStorage;
  owner: StateOwner;
  /** The hibernating WebSockets of the object. */
  sockets: () => ObjectSockets;
  /** The worker that binds the class. */
  own: { worker: Worker; bindings: Context };
}

/** The state of the object, and its bindings: those of the worker that binds a classic class, and that has a modern one. */
export function newState({ id, bound, storage, owner, sockets, own }: Constructed) {
  const { name, id: hexId } = addressOf(id);
  if (!isModern(bound.Class)) {
    const unnamedId = new DurableObjectId(name, hexId);
    return { state: new DurableObjectState(unnamedId, storage, owner), env: own.bindings };
  }
  const worker = workerOf(bound.exports) ?? own.worker;
  const ownId = new DurableObjectId(name, hexId, nameInside(id));
  const setting = { ...worker.context, realm: realmOf(bound.Class as unknown as new () => object) };
  const state = new ModernState(ownId, storage as ModernStorage, owner, sockets(), setting);
  return { state, env: worker.bindings };
}

refuseObjectsOf(DurableObjectState, "DurableObjectState");
refuseObjectsOf(ModernState, "DurableObjectState");
refuseObjectsOf(DurableObjectId, "DurableObjectId");

/** SQLite's own limits count alone. */
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** An object whose storage is made. */
export interface Stored {
  bound: BoundClass | undefined;
  isSqlite: boolean;
  /** The most bytes of a value, if the option is given. */
  valueSizeGiven: number | undefined;
  /** Makes the native object with a limit of values. */
  handle: (valueBytes: number) => ObjectHandle;
  alarms: DurableObjectAlarmBridge;
  /** The worker that binds the class. */
  worker: Worker;
  /** The storage that code outside of the object has, if this one is for a running object. */
  known: DurableObjectStorage | undefined;
  /** Is told when a database has been opened again. */
  opened: (storage: SqliteStorage) => void;
}

/** The storage of an object, by its class: without an option production's limits for a modern class. */
export function newStorage(stored: Stored): DurableObjectStorage {
  const { bound, isSqlite, valueSizeGiven, handle, alarms } = stored;
  if (bound !== undefined && isSqlite) return newSqliteStorage(stored, bound);
  if (!isModern(bound?.Class)) {
    return new DurableObjectStorage(handle(valueBytesMax(valueSizeGiven)), alarms);
  }
  const valueBytes = valueBytesMax(valueSizeGiven ?? MODERN_VALUE_BYTES_MAX);
  return new ModernStorage(handle(valueBytes), alarms);
}

function newSqliteStorage(stored: Stored, bound: BoundClass) {
  const { handle, alarms, worker, known, opened } = stored;
  const { compat } = workerOf(bound.exports) ?? worker;
  return new SqliteStorage(handle(NO_LIMIT), alarms, {
    opened,
    connection: known instanceof SqliteStorage ? known[kConnection] : new Connection(),
    realm: known === undefined ? OWN_REALM : realmOf(bound.Class as unknown as new () => object),
    isOfObject: known !== undefined,
    keepsAlarm: !isEnabled(compat, "deleteAllDeletesAlarm"),
  });
}
