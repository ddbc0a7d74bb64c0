/** Reads the objects in Redis that are to be imported: those of Miniflare 2, and those of this package beside them. */

import { limits } from "../../native/addon";
import { StoredObjects } from "../../native/raw-objects";
import { isGroupUrl, shownUrl } from "../../shared/redis-url";
import { lineOf } from "../errors";
import { oldValue, ownObjects, type Reporter, type Source } from "./files-source";
import type { ImportObject, ImportValue } from "./importer";
import { type OldRedisEntry, oldRedisObjects } from "./miniflare2/redis";
import { RedisClient } from "./redis/client";

export class RedisSource implements Source {
  readonly #from: string;
  readonly #withOwn: boolean;
  #client: RedisClient | undefined;
  #own: StoredObjects | undefined;
  readonly foreign: [where: string, what: string][] = [];

  /** `withOwn` is false if the objects of this package are to stay where they are. */
  constructor(from: string, withOwn: boolean) {
    this.#from = from;
    this.#withOwn = withOwn;
  }

  async *objects(reporter: Reporter): AsyncGenerator<ImportObject> {
    const shown = shownUrl(this.#from);
    yield* this.#oldObjects(reporter, shown);
    if (!this.#withOwn) return;
    try {
      this.#own = StoredObjects.open(this.#from);
      yield* ownObjects(this.#own, shown);
    } catch (error) {
      reporter.report(shown, lineOf(error));
    }
  }

  /** # Errors Those of `RedisClient` if the server cannot be used: then there is nothing to go on with. */
  async *#oldObjects(reporter: Reporter, shown: string): AsyncGenerator<ImportObject> {
    // Miniflare 2 knows single servers alone.
    if (isGroupUrl(this.#from)) return;
    const client = await RedisClient.connect(this.#from);
    this.#client = client;
    if (/^cluster_enabled:1/m.test(String(await client.call("INFO", "cluster")))) return;
    const findings = {
      unreadable: (key: string, reason: string) => reporter.report(`${shown} ${key}`, reason),
      foreign: (key: string, what: string) => this.foreign.push([`${shown} ${key}`, what]),
    };
    for await (const { name, id, alarm, entries } of oldRedisObjects(client, findings)) {
      const values = valuesOf(client, entries, shown);
      yield { name, id, where: `${shown} ${name}:${id}`, read: async () => ({ alarm, values }) };
    }
  }

  async close(): Promise<void> {
    this.#client?.close();
    await this.#own?.close();
  }
}

/** Values that are read when they are asked for, many at a time: they are asked for in order. */
function valuesOf(client: RedisClient, entries: OldRedisEntry[], shown: string): ImportValue[] {
  let first = -1;
  let some: Promise<(Buffer | null)[]>;
  const read = async (place: number) => {
    const start = place - (place % limits.keysMax);
    if (start !== first) {
      first = start;
      const keys = entries.slice(start, start + limits.keysMax).map(({ redisKey }) => redisKey);
      some = client.call("MGET", ...keys) as Promise<(Buffer | null)[]>;
    }
    const bytes = (await some)[place - start];
    if (!bytes) throw new Error("it is no string, or has been deleted meanwhile");
    return oldValue(bytes);
  };
  return entries.map(({ key, redisKey }, place) => ({
    key,
    where: `${shown} ${redisKey}`,
    read: () => read(place),
  }));
}
