// Failures that no program looks at: each is reported once, as an unhandled rejection or by the caller that is told instead.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { runModule, start, startCli, temporaryDirectory } from "../support/cli.mjs";
import { RedisServer } from "../support/redis.mjs";

const SCRIPT = `
  export class Tested {
    constructor(state, env) {
      this.storage = state.storage;
    }
    async fetch(request) {
      return globalThis.act(this.storage, request);
    }
  }
  export default { fetch() {} }`;

/** What each program begins with. `act` is what the object does with a request; `seen` is what was reported. */
const PRELUDE = `
  import { mkdir, rm, writeFile } from "node:fs/promises";
  import path from "node:path";
  import { Miniflare, Response } from "ferroflare";
  const seen = [];
  process.on("unhandledRejection", (error) => seen.push("unhandled: " + (error.code ?? error.message)));
  process.on("warning", ({ name, message }) => {
    if (name !== "ExperimentalWarning") seen.push("warning: " + message);
  });
  const told = (promise) => promise.then(
    (value) => seen.push(String(value)),
    (error) => seen.push("told: " + (error.code ?? error.message)),
  );
  const idle = async () => {
    for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate);
  };
  /** Waits for reports, which may come from a thread, and for a while for more than are expected. */
  const until = async (count) => {
    while (seen.length < count) await new Promise(setImmediate);
    await idle();
  };
  const place = process.env.PLACE;
  let act;
  const mf = new Miniflare({
    modules: true,
    script: ${JSON.stringify(SCRIPT)},
    durableObjects: { TESTED: "Tested" },
    durableObjectsPersist: place === "" ? false : place,
    globals: { act: (...given) => act(...given) },
  });
  const namespace = await mf.getDurableObjectNamespace("TESTED");
  const id = namespace.newUniqueId();
  const storage = await mf.getDurableObjectStorage(id);
  const ask = async (of = id) => (await namespace.get(of).fetch("http://localhost/")).text();
  const answer = () => new Response("answered");
  const writes = [
    (storage) => storage.put("key", 2),
    (storage) => storage.delete("key"),
    (storage) => storage.deleteAll(),
    (storage) => storage.deleteAlarm(),
    (storage) => storage.transaction((txn) => txn.put("key", 2)),
  ];
  /** A new object that cannot be opened. */
  const unopenable = async () => {
    const broken = namespace.newUniqueId();
    await mkdir(path.join(place, "TESTED"), { recursive: true });
    await writeFile(path.join(place, "TESTED", String(broken)), "");
    return broken;
  };
`;

let server;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.close());

const places = {
  memory: async (use) => use(""),
  files: async (use) => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-reports-"));
    try {
      return await use(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
  Redis: async (use) => {
    await server.call("FLUSHALL");
    return use(server.url());
  },
};

/** Runs a program; resolves with what was reported in it. */
async function reported(name, program) {
  const source = `${PRELUDE}${program}
    await idle();
    console.log(JSON.stringify(seen));
    await mf.dispose();`;
  const { stdout, stderr, hung, code } = await places[name]((place) =>
    runModule(source, { env: { PLACE: place } }),
  );
  assert.ok(!hung && code === 0, `${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

for (const name of Object.keys(places)) {
  describe(name, { concurrency: 2 }, () => {
    test("a failed transaction that no program awaits is one unhandled rejection", async () => {
      const seen = await reported(
        name,
        `storage.transaction(async (txn) => {
          await txn.put("key", 1);
          throw new Error("mine");
        });
        await storage.transaction(async (txn) => txn.put("other", 1));
        seen.push(...(await storage.list()).keys());`,
      );
      assert.deepEqual(seen.sort(), ["other", "unhandled: mine"]);
    });

    test("so is one in an object, whose response goes out", async () => {
      const seen = await reported(
        name,
        `act = (storage) => {
          storage.transaction(async () => {
            throw new Error("mine");
          });
          return answer();
        };
        await told(ask());`,
      );
      assert.deepEqual(seen.sort(), ["answered", "unhandled: mine"]);
    });

    test("a failed transaction that is looked at is no unhandled rejection", async () => {
      const seen = await reported(
        name,
        `const fail = async () => {
          throw new Error("mine");
        };
        await told(storage.transaction(fail));
        act = async (storage) => {
          await told(storage.transaction(fail));
          throw new Error("of the request");
        };
        await told(ask());`,
      );
      assert.deepEqual(seen, ["told: mine", "told: mine", "told: of the request"]);
    });

    test("a read of an attempt that has lost is reported by no one, since the closure runs again", async () => {
      const seen = await reported(
        name,
        `let attempts = 0;
        const value = await storage.transaction(async (txn) => {
          await txn.get("read");
          if (++attempts === 1) {
            await storage.put("read", attempts);
            await storage.put("other", attempts);
            txn.get("other");
          }
          return txn.get("read");
        });
        seen.push(attempts, value);`,
      );
      assert.deepEqual(seen, [2, 1]);
    });

    test("a failed blockConcurrencyWhile of a state that has no owner is one unhandled rejection", async () => {
      const seen = await reported(
        name,
        `const { DurableObjectState } = await import("ferroflare");
        new DurableObjectState(id, storage).blockConcurrencyWhile(async () => {
          throw new Error("mine");
        });`,
      );
      assert.deepEqual(seen, ["unhandled: mine"]);
    });
  });
}

describe("files", { concurrency: 2 }, () => {
  test("a write from outside an object that cannot be made durable is one unhandled rejection", async () => {
    const seen = await reported(
      "files",
      `await storage.put("key", 1);
      await rm(place, { recursive: true });
      storage.put("key", 2);
      await told(storage.sync());`,
    );
    assert.deepEqual(seen.sort(), [
      "told: ERR_STORAGE_VANISHED",
      "unhandled: ERR_STORAGE_VANISHED",
    ]);
  });

  test("a write of an object that cannot be made durable fails the request, and is nothing else", async () => {
    const seen = await reported(
      "files",
      `for (const write of writes) {
        act = async (storage) => {
          await storage.put("key", 1);
          await storage.sync();
          await rm(place, { recursive: true });
          write(storage);
          return answer();
        };
        await told(ask(namespace.newUniqueId()));
        await idle();
      }`,
    );
    assert.deepEqual(seen, Array(5).fill("told: ERR_STORAGE_VANISHED"));
  });

  test("a write of an object that cannot be opened fails the request, however long that takes, and is nothing else", async () => {
    const seen = await reported(
      "files",
      `for (const write of writes.slice(0, 4)) {
        act = async (storage) => {
          write(storage);
          await storage.get("key").catch(() => {});
          await idle();
          return answer();
        };
        await told(ask(await unopenable()));
        await idle();
      }`,
    );
    assert.deepEqual(seen, Array(4).fill("told: ERR_STORAGE_NOT_A_DIRECTORY"));
  });

  test("a write after the response of an object that cannot be opened is one warning of its reset, a transaction one unhandled rejection", async () => {
    const seen = await reported(
      "files",
      `for (const write of writes) {
        let goOn, later;
        act = (storage) => {
          later = new Promise((resolve) => { goOn = resolve; }).then(async () => {
            write(storage);
            await storage.get("key").catch(() => {});
          });
          return answer();
        };
        await told(ask(await unopenable()));
        await idle();
        goOn();
        await later;
        await until(2 * (writes.indexOf(write) + 1));
      }`,
    );
    const kinds = seen.map((line) => line.split(":")[0]);
    const expected = [...Array(4).fill("warning"), "unhandled"];
    assert.deepEqual(
      kinds,
      expected.flatMap((kind) => ["answered", kind]),
    );
  });

  test("a write after the response that cannot be made durable resets the object, which is one warning", async () => {
    const seen = await reported(
      "files",
      `let goOn, later;
      act = async (storage) => {
        await storage.put("key", 1);
        later = new Promise((resolve) => { goOn = resolve; }).then(async () => {
          storage.put("key", 2);
          await storage.sync().catch(() => {});
        });
        return answer();
      };
      await told(ask());
      await idle();
      await rm(place, { recursive: true });
      goOn();
      await later;
      await until(2);`,
    );
    assert.deepEqual(
      seen.map((line) => line.split(":")[0]),
      ["answered", "warning"],
    );
  });
});

test("Redis: a read in a transaction that no program awaits, of a value that cannot be read, is one unhandled rejection", async () => {
  const seen = await reported(
    "Redis",
    `await storage.put("key", 1);
    const { RedisClient } = await import("./dist/cli/import/redis/client.js");
    const client = await RedisClient.connect(place);
    await client.call("HSET", "TESTED:{" + id + "}:values", "key", "garbage");
    client.close();
    await storage.transaction(async (txn) => {
      txn.get("key");
    });`,
  );
  assert.deepEqual(seen, ["unhandled: ERR_DESERIALIZATION"]);
});

test("memory: the error of a bridge is that of setAlarm(), and if no program awaits it one unhandled rejection", async () => {
  const seen = await reported(
    "memory",
    `const { DurableObjectStorage } = await import("ferroflare");
    const { MemoryStorage } = await import("@miniflare/storage-memory");
    const setAlarm = async () => {
      throw new Error("bridge");
    };
    const bridged = new DurableObjectStorage(new MemoryStorage(), { setAlarm });
    await told(bridged.setAlarm(Date.now() + 1e6));
    await told(bridged.transaction((txn) => txn.setAlarm(Date.now() + 1e6)));
    bridged.setAlarm(Date.now() + 1e6);`,
  );
  assert.deepEqual(seen, ["told: bridge", "told: bridge", "unhandled: bridge"]);
});

test("the command: a failed transaction that no program awaits is one entry of the log, and the server goes on", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(
    path.join(cwd, "worker.mjs"),
    `export class Tested {
      constructor(state) {
        this.storage = state.storage;
      }
      fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/fail") {
          this.storage.transaction(async () => {
            throw new Error("no program looks");
          });
        }
        return new Response(pathname);
      }
    }
    export default {
      fetch: (request, env) => env.TESTED.get(env.TESTED.idFromName("a")).fetch(request),
    };`,
  );
  const command = await startCli(t, ["worker.mjs", "--do", "TESTED=Tested"], { cwd });
  assert.equal(await command.text("/fail"), "/fail");
  assert.equal(await command.text("/ok"), "/ok");
  const { stdout, stderr } = await command.end("SIGTERM");
  const entries = `${stdout}${stderr}`.match(/no program looks/g);
  assert.equal(entries?.length, 1, `${stdout}${stderr}`);
  assert.match(`${stdout}${stderr}`, /Unhandled Promise Rejection: Error: no program looks/);
});

test("the command: an end that fails is one line, and the process ends by the signal", async (t) => {
  const running = start(process.execPath, [
    "-e",
    `const { endOnSignal } = require("./dist/cli/run/shutdown.js");
    const report = (error) => console.error("reported:", error.message);
    endOnSignal(async () => {
      throw new Error("no space left");
    }, report);
    setInterval(() => {}, 1000);
    process.kill(process.pid, "SIGTERM");`,
  ]);
  t.after(() => running.child.kill("SIGKILL"));
  const { signal, stderr } = await running.ended;
  assert.deepEqual([signal, stderr], ["SIGTERM", "reported: no space left\n"]);
});
