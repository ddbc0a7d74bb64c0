/** `storage.sql` and `storage.kv` of an object that is not SQLite-backed: they can be looked at, and their use is an error. */
import { Cursor } from "./cursor";
import { SyncKvStorage } from "./kv";
import { SqlStorage } from "./sql";

const HOW_TO =
  "change `new_classes` to `new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file.";
const TOO_LATE =
  "Note that this change cannot be made after the class is already deployed to production.";
const NO_SQL =
  `SQL is not enabled for this Durable Object class. To enable it, ${HOW_TO} ` +
  "If using workerd directly,set `enableSql = true` in your workerd config for the class. " +
  TOO_LATE;
const NO_KV =
  "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, " +
  "but this object's namespace is not declared to use SQLite. You can use the older, asyncronous interface " +
  `via methods of \`storage\` itself (e.g. \`storage.get()\`). Alternatively, to enable SQLite, ${HOW_TO} ` +
  "If using workerd directly, set `enableSql = true` in your workerd config for the class. " +
  TOO_LATE;

const { Statement } = SqlStorage.prototype;

export const SQL_WITHOUT_SQL: object = refusing(SqlStorage.prototype, NO_SQL, {
  Cursor,
  Statement,
});
export const KV_WITHOUT_SQL: object = refusing(SyncKvStorage.prototype, NO_KV, {});

/** An object like the instances of a class, whose members throw, except for those that are given. */
function refusing(prototype: object, message: string, members: object): object {
  const refuse = () => {
    throw new Error(message);
  };
  const made = Object.create(Object.create(prototype));
  for (const name of Object.keys(prototype)) {
    if (name in members) continue;
    const { get } = Object.getOwnPropertyDescriptor(prototype, name)!;
    const member = get ? { get: refuse } : { value: refuse, writable: true };
    Object.defineProperty(Object.getPrototypeOf(made), name, { ...member, configurable: true });
  }
  return made;
}
