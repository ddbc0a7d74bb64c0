/**
 * Reads what Miniflare 2 has stored in Redis: a string `<NAME>:<id>:value:<key>` for each key.
 *
 * An alarm is an empty value of the key `__MINIFLARE_ALARMS__`, whose time is in `<NAME>:<id>:meta:<key>`. It has a
 * copy of the same form, `__MINIFLARE_ALARMS__:value:<NAME>:<id>`, which `deleteAll()` forgets to remove. Names and
 * keys may hold colons: the hash of the name at the end of the id tells where the name ends.
 */
import { ALARM_KEY } from "../../../shared/alarm-key";
import type { RedisClient } from "../redis/client";
import type { Reply } from "../redis/resp";
import { hashOf, ID_HASH_DIGITS } from "./names";

const VALUE_PART = ":value:";
const META_PART = ":meta:";
/** What an object that was named by a test's own id is called there. */
const NAMELESS = "undefined";
/** The server looks at about so many keys before it answers. */
const KEYS_PER_SCAN = 1000;

export interface OldRedisEntry {
  key: string;
  /** The key in Redis of its value. */
  redisKey: string;
}

export interface OldRedisObject {
  name: string;
  id: string;
  alarm: number | undefined;
  entries: OldRedisEntry[];
}

/** What the reader meets beside objects. */
export interface RedisFindings {
  /** Something that belongs to an object and cannot be read. */
  unreadable(redisKey: string, reason: string): void;
  /** Keys that look like Miniflare 2's, and are no object's data. */
  foreign(pattern: string, what: string): void;
}

interface Found {
  name: string;
  id: string;
  keys: Set<string>;
}

/**
 * The objects of the connection's database, in no particular order. Their keys have to fit into memory, their values
 * need not.
 */
export async function* oldRedisObjects(
  client: RedisClient,
  findings: RedisFindings,
): AsyncGenerator<OldRedisObject> {
  const objects = new Map<string, Found>();
  const copies = new Set<string>();
  const strangers = new Map<string, number>();
  for await (const bytes of scan(client, `*${VALUE_PART}*`)) {
    const redisKey = bytes.toString();
    if (!Buffer.from(redisKey).equals(bytes)) {
      findings.unreadable(redisKey, "its name is not in UTF-8");
      continue;
    }
    const copyOf = after(redisKey, ALARM_KEY + VALUE_PART);
    if (copyOf !== undefined) {
      copies.add(copyOf);
      continue;
    }
    const place = placeOf(redisKey);
    if (place?.part === VALUE_PART) add(objects, place.name, place.id, place.key);
    else if (place !== undefined || redisKey.startsWith(ALARM_KEY + META_PART)) continue;
    else count(strangers, redisKey.slice(0, redisKey.indexOf(VALUE_PART)));
  }
  for (const [object, { name, id, keys }] of objects) {
    const hasAlarm = keys.delete(ALARM_KEY);
    const alarm = hasAlarm ? await readAlarm(client, object, findings) : undefined;
    if (hasAlarm) copies.delete(object);
    const entries = Array.from(keys, (key) => ({ key, redisKey: object + VALUE_PART + key }));
    yield { name, id, alarm, entries };
  }
  for (const object of copies) {
    findings.foreign(ALARM_KEY + VALUE_PART + object, "its object has no alarm");
  }
  for (const [namespace, keys] of strangers) {
    const what = keys === 1 ? "1 key that belongs" : `${keys} keys that belong`;
    findings.foreign(`${namespace}${VALUE_PART}*`, `${what} to no object`);
  }
}

/** Keys that match a pattern; each may come more than once. */
async function* scan(client: RedisClient, pattern: string): AsyncGenerator<Buffer> {
  let cursor = "0";
  do {
    const reply = await client.call("SCAN", cursor, "MATCH", pattern, "COUNT", `${KEYS_PER_SCAN}`);
    const [next, keys] = reply as [Buffer, Buffer[]];
    cursor = next.toString();
    yield* keys;
  } while (cursor !== "0");
}

/** Which key of which object a key of Redis is about. */
interface Place {
  name: string;
  id: string;
  key: string;
  /** Whether it holds the value, or what there is beside it. */
  part: string;
}

function placeOf(redisKey: string): Place | undefined {
  for (const found of redisKey.matchAll(/:([0-9a-f]{64})(?=(:value:|:meta:))/g)) {
    const [whole, id, part] = found as unknown as [string, string, string];
    const name = redisKey.slice(0, found.index);
    if (knownHash(name) !== id.slice(-ID_HASH_DIGITS)) continue;
    return { name, id, part, key: redisKey.slice(found.index! + whole.length + part.length) };
  }
  const rest = after(redisKey, `${NAMELESS}:`);
  const end = rest?.indexOf(VALUE_PART) ?? -1;
  if (rest === undefined || end === -1) return undefined;
  const key = rest.slice(end + VALUE_PART.length);
  return { name: NAMELESS, id: rest.slice(0, end), key, part: VALUE_PART };
}

const hashes = new Map<string, string>();

function knownHash(name: string): string {
  let hash = hashes.get(name);
  if (hash === undefined) {
    hash = hashOf(name);
    hashes.set(name, hash);
  }
  return hash;
}

function after(text: string, start: string): string | undefined {
  return text.startsWith(start) ? text.slice(start.length) : undefined;
}

function add(objects: Map<string, Found>, name: string, id: string, key: string): void {
  const object = `${name}:${id}`;
  const found = objects.get(object) ?? { name, id, keys: new Set() };
  found.keys.add(key);
  objects.set(object, found);
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** The time of an object's alarm, in milliseconds; that of its copy if there is no other. */
async function readAlarm(
  client: RedisClient,
  object: string,
  { unreadable }: RedisFindings,
): Promise<number | undefined> {
  for (const key of [object + META_PART + ALARM_KEY, ALARM_KEY + META_PART + object]) {
    const time = timeOf(await client.call("GET", key));
    if (time !== undefined) return time;
  }
  unreadable(object + VALUE_PART + ALARM_KEY, "its alarm has no time");
  return undefined;
}

function timeOf(reply: Reply): number | undefined {
  try {
    const { scheduledTime } = Object(JSON.parse(String(reply))) as { scheduledTime?: unknown };
    return typeof scheduledTime === "number" && scheduledTime > 0 ? scheduledTime : undefined;
  } catch {
    return undefined;
  }
}
