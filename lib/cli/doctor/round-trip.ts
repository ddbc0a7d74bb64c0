/** A round trip: writes and reads a Durable Object through the `Miniflare` class that is in use, and removes it again. */

import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import type { DurableObjectId } from "../../durable-objects/namespace";
import type { Miniflare } from "../../miniflare/miniflare";
import { StoredObjects } from "../../native/raw-objects";
import type { DurableObjectStorage } from "../../storage/storage";
import { CommandError } from "../errors";

/** Under this name no worker is likely to have objects. */
const NAME = "FERROFLARE_DOCTOR";
const VALUE = { text: "héllo", list: [1, 2, 3], when: new Date(1) };

/** The modules in use: the one that makes instances, and the one that gives them Durable Objects. */
export interface InUse {
  miniflare: { Miniflare: typeof Miniflare };
  objects: {
    DurableObjectId: typeof DurableObjectId;
    DurableObjectStorage: typeof DurableObjectStorage;
    coreVersion: string;
  };
}

/** Loads the modules in two directories. */
export function load(miniflare: string, objects: string): InUse {
  const from = (directory: string) =>
    createRequire(path.join(directory, "package.json"))(directory);
  return { miniflare: from(miniflare), objects: from(objects) };
}

/**
 * Goes to `place`, a directory or URL, or to memory, and back.
 *
 * # Errors
 * `CommandError` if another core answers, or anything else than what was written.
 */
export async function roundTrip({ miniflare, objects }: InUse, place?: string): Promise<void> {
  const mf = new miniflare.Miniflare({
    script: 'addEventListener("fetch", () => {});',
    ...(place === undefined ? {} : { durableObjectsPersist: place }),
  });
  try {
    const id = new objects.DurableObjectId(NAME, randomBytes(32).toString("hex"));
    const storage = await mf.getDurableObjectStorage(id);
    if (!(storage instanceof objects.DurableObjectStorage)) {
      throw new CommandError("Miniflare gives out a storage that is not of ferroflare's core.");
    }
    await exchange(storage);
    await storage.deleteAll();
  } finally {
    await mf.dispose();
  }
  if (place !== undefined) await removeTraces(place);
}

async function exchange(storage: DurableObjectStorage): Promise<void> {
  await storage.put("value", VALUE);
  await storage.transaction(async (txn) => {
    const before = (await txn.get<number>("count")) ?? 0;
    await txn.put("count", before + 1);
  });
  const found = await storage.list();
  const text = JSON.stringify([...found]);
  const expected = JSON.stringify([
    ["count", 1],
    ["value", VALUE],
  ]);
  if (text !== expected) throw new CommandError(`Read back ${text}, and had written ${expected}.`);
}

/** Removes what an emptied object leaves in a directory. */
async function removeTraces(place: string): Promise<void> {
  if (place.includes("://")) return;
  const stored = StoredObjects.open(place);
  try {
    for (const id of await stored.ids(NAME)) await stored.delete(NAME, id);
  } finally {
    await stored.close();
  }
}
