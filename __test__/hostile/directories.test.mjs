// A directory of objects in which something lies that is not ours, or that other users may look into.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { temporaryDirectory } from "../support/cli.mjs";
import { assertOutcome, outcome } from "../support/hostile.mjs";

const script = "export class Any { alarm() {} }; export default { fetch() {} }";
const NAME = "ANY";
const far = 4_000_000_000_000;

/** Runs some work with the storages of the objects "a" and "b" in a directory. */
async function within(root, work, { useSQLite = false } = {}) {
  const mf = new Miniflare({
    modules: true,
    script,
    durableObjects: { [NAME]: { className: "Any", useSQLite } },
    durableObjectsPersist: root,
  });
  try {
    const namespace = await mf.getDurableObjectNamespace(NAME);
    const id = namespace.idFromName("a");
    const other = await mf.getDurableObjectStorage(namespace.idFromName("b"));
    return await work(await mf.getDurableObjectStorage(id), String(id), other);
  } finally {
    await mf.dispose().catch(() => {});
  }
}

const linkError = (link) => ({
  name: "Error",
  code: "ERR_STORAGE_LINK",
  message: `${link} is a symbolic link. Nothing was changed: what it leads to would be written to, and deleted, like data of Durable Objects. Move that data here, or use its directory for all objects.`,
});

/** Places of links, below the root. The name `ID` stands for the id of "a". */
const links = [
  ["our own directory", ".ferroflare", "directory"],
  ["the locks", ".ferroflare/locks", "directory"],
  ["the trash", ".ferroflare/trash", "directory"],
  ["the alarms", ".ferroflare/alarms", "directory"],
  ["the marker", ".ferroflare/format", "file"],
  ["the objects of a binding", NAME, "directory"],
  ["an object", `${NAME}/ID`, "directory"],
  ["a lock file", `.ferroflare/locks/${NAME}.ID`, "file"],
  ["a lock file that leads nowhere", `.ferroflare/locks/${NAME}.ID`, "nothing"],
  ["the database of SQLite", `${NAME}/ID/object.sqlite`, "file"],
];

describe("symbolic links", { skip: process.platform === "win32" && "links need rights" }, () => {
  for (const [what, place, kind] of links) {
    test(`in the place of ${what} are refused, and what they lead to is left alone`, async (t) => {
      const parent = await temporaryDirectory(t);
      const root = path.join(parent, "root");
      const outside = path.join(parent, "outside");
      const id = await within(root, async (_, found) => found);
      const link = path.join(root, place.replace("ID", id));
      mkdirSync(path.dirname(link), { recursive: true });
      if (kind === "directory") mkdirSync(path.join(outside, "kept"), { recursive: true });
      if (kind === "directory") writeFileSync(path.join(outside, "kept", "file"), "precious");
      if (kind === "file") writeFileSync(outside, "precious");
      symlinkSync(outside, link);
      const tried = await outcome(() =>
        within(root, async (storage) => {
          await storage.put("k", 1);
          await storage.setAlarm(far);
          await storage.deleteAll();
        }),
      );
      assertOutcome(tried, linkError(link), what);
      if (kind === "nothing") assert.equal(existsSync(outside), false);
      if (kind === "file") assert.equal(readFileSync(outside, "utf8"), "precious");
      if (kind === "directory") {
        assert.deepEqual(readdirSync(outside), ["kept"]);
        assert.equal(readFileSync(path.join(outside, "kept", "file"), "utf8"), "precious");
      }
      rmSync(link);
      assert.equal(
        await within(root, async (storage) => {
          await storage.put("k", 1);
          return storage.get("k");
        }),
        1,
      );
    });
  }

  test("a link of one object leaves the others alone", async (t) => {
    const root = path.join(await temporaryDirectory(t), "root");
    await within(root, async (storage, id, other) => {
      await other.put("k", 1);
      symlinkSync(await temporaryDirectory(t), path.join(root, NAME, id));
      assert.equal((await outcome(() => storage.put("k", 1))).code, "ERR_STORAGE_LINK");
      await other.put("k", 2);
      assert.equal(await other.get("k"), 2);
    });
  });

  test("in the place of an alarm's marker are not followed, and its target is not emptied", async (t) => {
    const parent = await temporaryDirectory(t);
    const root = path.join(parent, "root");
    const outside = path.join(parent, "outside");
    writeFileSync(outside, "precious");
    await within(root, async (storage, id) => {
      await storage.setAlarm(far - 1);
      symlinkSync(outside, path.join(root, ".ferroflare/alarms", `${far}.${NAME}.${id}`));
      await storage.setAlarm(far);
      assert.equal(await storage.getAlarm(), far);
      assert.equal(readFileSync(outside, "utf8"), "precious");
    });
  });

  test("the directory itself may be one", async (t) => {
    const parent = await temporaryDirectory(t);
    const [real, link] = [path.join(parent, "real"), path.join(parent, "link")];
    mkdirSync(real);
    symlinkSync(real, link);
    await within(link, (storage) => storage.put("k", 1));
    assert.equal(await within(real, (storage) => storage.get("k")), 1);
  });
});

/** The paths below a directory whose mode lets other users in. */
function openToOthers(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const place = path.join(directory, entry.name);
    const below = entry.isDirectory() ? openToOthers(place) : [];
    const wanted = entry.isDirectory() ? 0o700 : 0o600;
    return (statSync(place).mode & 0o777) === wanted ? below : [place, ...below];
  });
}

const modes = { skip: process.platform === "win32" && "Windows has no such modes" };
describe("permissions", modes, () => {
  for (const useSQLite of [false, true]) {
    test(`directories are created with 0700 and files with 0600 (${useSQLite ? "SQLite" : "RocksDB"})`, async (t) => {
      const parent = await temporaryDirectory(t);
      const given = path.join(parent, "given");
      mkdirSync(given);
      chmodSync(given, 0o755);
      for (const root of [path.join(parent, "new"), given]) {
        const look = async (storage, _id, other) => {
          await storage.put("k", "x".repeat(10_000));
          await storage.setAlarm(far);
          await other.put("k", 1);
          await other.deleteAll();
          assert.deepEqual(openToOthers(root), []);
        };
        await within(root, look, { useSQLite });
        assert.deepEqual(openToOthers(root), []);
      }
      assert.equal(statSync(path.join(parent, "new")).mode & 0o777, 0o700);
      assert.equal(statSync(given).mode & 0o777, 0o755);
    });
  }
});

/** Paths that are no place for data, and the error of the first use. */
const places = [
  [
    "NUL in it",
    () => "/tmp/a\0b",
    {
      name: "DurableObjectError [ERR_OPTION]",
      code: "ERR_OPTION",
      message:
        'Invalid value for durableObjectsPersist (--do-persist): "/tmp/a\\u0000b" (expected a path without NUL characters)',
    },
  ],
  [
    "a name of 10 KB",
    (parent) => path.join(parent, "x".repeat(10_240)),
    {
      name: "DurableObjectError [ERR_OPTION]",
      code: "ERR_OPTION",
      message: /^Cannot create the directory .*\(ENAMETOOLONG\)/,
    },
  ],
  [
    "a device",
    () => "/dev/null",
    {
      name: "Error",
      code: "ERR_STORAGE_NOT_A_DIRECTORY",
      message: /^\/dev\/null is not a directory/,
    },
  ],
  [
    "a path below a device",
    () => "/dev/null/x",
    {
      name: "Error",
      code: "ERR_STORAGE_NOT_A_DIRECTORY",
      message: /^\/dev\/null is not a directory/,
    },
  ],
  [
    "a link to itself",
    (parent) => {
      symlinkSync(path.join(parent, "loop"), path.join(parent, "loop"));
      return path.join(parent, "loop");
    },
    { name: "DurableObjectError [ERR_OPTION]", code: "ERR_OPTION", message: /\(ELOOP\)/ },
  ],
];

describe("places", { skip: process.platform === "win32" && "paths of Unix" }, () => {
  for (const [what, place, expected] of places) {
    test(`${what}: ${expected.code}`, async (t) => {
      const root = place(await temporaryDirectory(t));
      const tried = () => within(root, (storage) => storage.put("k", 1));
      assertOutcome(await outcome(tried), expected, what);
    });
  }
});
