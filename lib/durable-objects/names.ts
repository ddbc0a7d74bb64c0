/**
 * Names of modern objects. They are recorded when an object is used by its name, and read when it is used by its id
 * alone.
 */
import { IdFactory, type Store } from "../native/addon";
import type { Answer } from "../native/answers";
import { recordedName, recordName } from "../native/stores";
import { warnOf } from "../shared/error";
import { addressOf, DurableObjectId, type IdLike } from "./id";

/** A longer name is not seen inside the object, as in production. */
const NAME_BYTES_MAX = 1024;

/** The name that an object sees in its own id. */
export function nameInside(id: IdLike): string | undefined {
  const { name } = id as { name?: unknown };
  if (typeof name !== "string" || Buffer.byteLength(name) > NAME_BYTES_MAX) return undefined;
  return name;
}

/** The id with its name: its own, or the one that it was once used by. */
export function withName(store: Store, id: IdLike): Answer<IdLike> {
  const { name: binding, id: hexId } = addressOf(id);
  const name = nameInside(id);
  if (name !== undefined) {
    recordName(store, binding, hexId, name).catch((error) =>
      warnOf(`The name of Durable Object ${binding}:${hexId}`, error),
    );
    return id;
  }
  const recorded = recordedName(store, binding, hexId);
  const named = (found: string | undefined) =>
    found !== undefined && isNameOf(binding, hexId, found)
      ? new DurableObjectId(binding, hexId, found)
      : id;
  return recorded instanceof Promise ? recorded.then(named) : named(recorded);
}

/** A record that a power loss has torn is no name of the id. */
export function isNameOf(binding: string, hexId: string, name: string): boolean {
  return new IdFactory(binding).idFromName(name) === hexId;
}
