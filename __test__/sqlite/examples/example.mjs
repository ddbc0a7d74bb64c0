/**
 * Examples of SQLite-backed objects: functions that run inside of an object, and what they give. Each is run here and on
 * miniflare@4, which runs workerd, so that what an example says stays what workerd does.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { Miniflare } from "../../../index.mjs";
import { miniflare4 } from "../../support/miniflare4.mjs";
import { evaluating, scriptOf } from "./worker.mjs";

// A Date as a text has the zone of its process; workerd has none.
process.env.TZ = "UTC";

const options = {
  durableObjects: { STORE: { className: "Store", useSQLite: true } },
  compatibilityDate: "2026-04-25",
};

const list = (functions) => (Array.isArray(functions) ? functions : [functions]);

async function ask(mf, body) {
  const response = await mf.dispatchFetch("http://localhost/", { method: "POST", body });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}

/** What functions give, in requests to one object of ours one after the other. */
export async function inOurs(functions, extra = {}) {
  const mf = new Miniflare({
    modules: true,
    script: scriptOf(list(functions)),
    ...options,
    ...extra,
  });
  try {
    const results = await ask(mf, "{}");
    return Array.isArray(functions) ? results : results[0];
  } finally {
    await mf.dispose();
  }
}

let workerd;
let directory;
let objects = 0;

after(async () => {
  await workerd?.dispose();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** The one workerd of a test file, with its data in a directory where a sync costs nothing, if the system has one. */
function peer() {
  if (workerd !== undefined) return workerd;
  const place = existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();
  directory = mkdtempSync(path.join(place, "ferroflare-workerd-"));
  const extra = { unsafeEvalBinding: "EVAL", durableObjectsPersist: directory };
  workerd = miniflare4(evaluating, { ...options, ...extra });
  return workerd;
}

export async function inWorkerd(functions) {
  const body = JSON.stringify({
    name: `object ${objects++}`,
    functions: list(functions).map(String),
  });
  const results = await ask(peer(), body);
  return Array.isArray(functions) ? results : results[0];
}

/**
 * A test: `functions` give `expected` on both sides. `workerd` is what that version of workerd gives instead, where this
 * package differs on purpose: newer workerd does, or workerd fails by a mistake of its own.
 */
export function example(name, functions, expected, { workerd: theirs = expected } = {}) {
  test(name, async () => {
    if (process.env.FERROFLARE_SQL_PEER_ONLY === undefined) {
      assert.deepEqual(await inOurs(functions), expected);
    }
    assert.deepEqual(await inWorkerd(functions), theirs, "on miniflare@4");
  });
}
