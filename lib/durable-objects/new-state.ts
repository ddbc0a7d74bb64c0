/** Makes what an object gets when it is constructed, by its class: a state, bindings, a storage. */
import type { Context } from "@miniflare/shared";
import { realmOf } from "../rpc";
import { MODERN_VALUE_BYTES_MAX, ModernStorage } from "../storage/modern-storage";
import { DurableObjectStorage } from "../storage/storage";
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

/** The class of the storage, and the most bytes of a value: without an option production's for a modern class. */
export function storageOf(Class: unknown, valueSizeGiven: number | undefined) {
  if (!isModern(Class)) {
    return { Storage: DurableObjectStorage, valueBytes: valueBytesMax(valueSizeGiven) };
  }
  return {
    Storage: ModernStorage,
    valueBytes: valueBytesMax(valueSizeGiven ?? MODERN_VALUE_BYTES_MAX),
  };
}
