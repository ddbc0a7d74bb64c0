/** The storage of an object of a modern class: what it has beyond Miniflare 2's answers that it is not there yet. */
import { unsupported } from "../shared/error";
import { DurableObjectStorage } from "./storage";

/** Production's limit of one value; the core adds the frame that V8 puts around it. */
export const MODERN_VALUE_BYTES_MAX = 131_072;

const KV_METHODS = ["get", "put", "delete", "list"];

export class ModernStorage extends DurableObjectStorage {
  /** May be looked at, as far as libraries do; its use is an error. */
  get sql(): object {
    return SQL;
  }

  get kv(): object {
    return KV;
  }
}

for (const name of [
  "transactionSync",
  "getCurrentBookmark",
  "getBookmarkForTime",
  "onNextSessionRestoreBookmark",
]) {
  const value = refusing(`ctx.storage.${name}()`);
  Object.defineProperty(ModernStorage.prototype, name, {
    value,
    writable: true,
    configurable: true,
  });
}

const KV = Object.fromEntries(
  KV_METHODS.map((name) => [name, refusing(`ctx.storage.kv.${name}()`)]),
);

const SQL = Object.defineProperty({ exec: refusing("ctx.storage.sql.exec()") }, "databaseSize", {
  get: refusing("ctx.storage.sql.databaseSize"),
  enumerable: false,
});

function refusing(member: string): () => never {
  return () => {
    throw unsupported(member);
  };
}
