/**
 * `storage.sql`, `storage.kv` and `storage.transactionSync()` of a classic object without SQLite: their use is production's
 * error. The storage does not have them, as in Miniflare 2: `"sql" in storage` is false, and no key names them.
 */
import { KV_WITHOUT_SQL, NOT_BACKED, SQL_WITHOUT_SQL } from "./sql/refused";
import { DurableObjectStorage } from "./storage";

const REFUSED: Record<PropertyKey, unknown> = {
  sql: SQL_WITHOUT_SQL,
  kv: KV_WITHOUT_SQL,
  transactionSync() {
    throw new Error(NOT_BACKED);
  },
};

/** Asked for what neither the storage nor its class has. */
const missing = new Proxy(
  {},
  {
    get: (target, key, receiver) =>
      Object.hasOwn(REFUSED, key) ? REFUSED[key] : Reflect.get(target, key, receiver),
  },
);

Object.setPrototypeOf(DurableObjectStorage.prototype, missing);
