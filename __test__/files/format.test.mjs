// A database that this format's first version has written, committed as a fixture: it is read for good.
// How it was made: fixtures/files/make.mjs.
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { deserialize } from "node:v8";
import { Miniflare } from "../../index.mjs";
import { content, worker } from "../fixtures/files/content.mjs";
import { fixtures, runCli, temporaryDirectory } from "../support/cli.mjs";
import { filesIn } from "../support/files.mjs";

const VERSIONS = ["v1"];

/** A copy of a fixture: opening a database writes into it. */
async function copyOf(t, version) {
  const root = path.join(await temporaryDirectory(t), "data");
  cpSync(path.join(fixtures, "files", version), root, { recursive: true });
  return root;
}

async function open(t, root) {
  const mf = new Miniflare({ ...worker, durableObjectsPersist: root, durableObjectsAlarms: false });
  t.after(() => mf.dispose());
  const storageOf = async ({ binding, name }) => {
    const namespace = await mf.getDurableObjectNamespace(binding);
    return mf.getDurableObjectStorage(namespace.idFromName(name));
  };
  return { mf, storageOf };
}

for (const version of VERSIONS) {
  test(`format ${version}: what was written then is read exactly`, async (t) => {
    const { storageOf } = await open(t, await copyOf(t, version));
    for (const object of content) {
      const storage = await storageOf(object);
      assert.deepEqual([...(await storage.list())], object.entries, object.name);
      assert.equal(await storage.getAlarm(), object.alarm ?? null, object.name);
    }
  });

  test(`format ${version}: the fixture has both kinds of files, tables and logs with data`, () => {
    const files = filesIn(path.join(fixtures, "files", version));
    for (const kind of [".sst", ".log"]) {
      const withData = files.filter((file) => file.endsWith(kind) && readFileSync(file).length > 0);
      assert.ok(withData.length > 0, kind);
    }
  });

  test(`format ${version}: what is written into it now is there in the next session`, async (t) => {
    const root = await copyOf(t, version);
    const first = await open(t, root);
    await (await first.storageOf(content[0])).put("added", [1n]);
    await (await first.storageOf(content[1])).deleteAll();
    await first.mf.dispose();
    const { storageOf } = await open(t, root);
    const entries = [...(await (await storageOf(content[0])).list())];
    assert.deepEqual(new Map(entries), new Map([...content[0].entries, ["added", [1n]]]));
    const emptied = await storageOf(content[1]);
    assert.deepEqual([(await emptied.list()).size, await emptied.getAlarm()], [0, null]);
  });

  test(`format ${version}: alarms and objects are found without opening the databases`, async (t) => {
    const root = await copyOf(t, version);
    const listed = await runCli(["objects", "list", "--json", "--do-persist", root]);
    assert.deepEqual([listed.code, listed.stderr], [0, ""]);
    const objects = listed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const summary = objects.map(({ name, alarm }) => `${name} ${alarm}`).sort();
    const expected = content.map(({ binding, alarm }) => `${binding} ${alarm}`).sort();
    assert.deepEqual(summary, expected);
  });

  test(`format ${version}: the export has every value`, async (t) => {
    const root = await copyOf(t, version);
    const { name, entries } = content[0];
    const exported = await runCli([
      "objects",
      "export",
      "OBJECT",
      "--id-from-name",
      name,
      "--do-persist",
      root,
    ]);
    assert.deepEqual([exported.code, exported.stderr], [0, ""]);
    const lines = exported.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const values = lines.map(({ key, value, valueBase64 }) => [
      key,
      valueBase64 === undefined ? value : deserialize(Buffer.from(valueBase64, "base64")),
    ]);
    assert.deepEqual(values, entries);
  });
}

test("format: the root says which version it is", () => {
  for (const version of VERSIONS) {
    const marker = path.join(fixtures, "files", version, ".ferroflare", "format");
    assert.equal(readFileSync(marker, "utf8"), `${version.slice(1)}\n`);
  }
});
