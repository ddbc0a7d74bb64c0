// Programs may throw anything, also what throws when it is looked at: that is reported, and the process goes on.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { bin, runModule, start, startCli, temporaryDirectory } from "../support/cli.mjs";

/** What is thrown, as code, and what a report shows of it. */
const THROWN = {
  "an object without a prototype": ["Object.create(null)", "[Object: null prototype] {}"],
  "a proxy whose traps throw": [
    "new Proxy({ hidden: 1 }, new Proxy({}, { get() { return () => { throw new Error('trap'); }; } }))",
    "hidden: 1",
  ],
  "an error whose stack throws": [
    "Object.defineProperty(new RangeError('far'), 'stack', { get() { throw new Error('stack'); } })",
    "RangeError: far",
  ],
  "a stack that is no text": [
    "({ stack: Object.create(null), toString() { return 'odd'; } })",
    "odd",
  ],
  "a symbol": ["Symbol('sign')", "Symbol(sign)"],
  null: ["null", "null"],
  undefined: ["undefined", "undefined"],
};

const worker = (thrown) => `
const thrown = () => { throw ${thrown}; };
export class OBJECT {
  constructor(state) {
    this.state = state;
  }
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/alarm") await this.state.storage.setAlarm(Date.now());
    if (pathname === "/block") this.state.blockConcurrencyWhile(async () => thrown());
    if (pathname === "/throw") thrown();
    return new Response("ok");
  }
  alarm() {
    thrown();
  }
}
export default {
  fetch(request, env) {
    return env.OBJECT.get(env.OBJECT.idFromName("a")).fetch(request);
  }
}`;

for (const [what, [thrown, shown]] of Object.entries(THROWN)) {
  for (const log of ["new NoOpLog()", "new Log(LogLevel.ERROR)"]) {
    test(`an alarm that throws ${what} is reported once with ${log}, and the process goes on`, async () => {
      const { code, stdout, stderr } = await runModule(`
        import { Miniflare } from "ferroflare";
        import { Log, LogLevel, NoOpLog } from "@miniflare/shared";
        const log = ${log};
        const reports = [];
        let tell;
        const told = new Promise((resolve) => { tell = resolve; });
        const report = (line) => { reports.push(line); tell(); };
        if (!(log instanceof NoOpLog)) log.log = report;
        process.on("warning", ({ name, message }) => name === "DurableObjectWarning" && report(message));
        const script = ${JSON.stringify(worker(thrown))};
        const mf = new Miniflare({ log, modules: true, script, durableObjects: { OBJECT: "OBJECT" } });
        const ask = async (path) => (await mf.dispatchFetch("http://localhost" + path)).text();
        await ask("/alarm");
        await told;
        await ask("/");
        console.log(reports.length, reports[0]);
        await ask("/block").catch(() => {});
        await ask("/throw").catch(() => {});
        console.log(await ask("/"));
        await mf.dispose();
      `);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^1 [\s\S]*\nok\n$/, stderr);
      assert.ok(stdout.includes(shown), stdout);
    });
  }

  test(`a script that throws ${what} while it starts is one line of the command`, async (t) => {
    const cwd = await temporaryDirectory(t);
    await writeFile(path.join(cwd, "worker.mjs"), `throw ${thrown};`);
    const args = [bin, "worker.mjs", "--modules", "--verbose", "--port", "0", "--no-cf-fetch"];
    const { code, stderr, hung } = await start(process.execPath, args, { cwd }).ended;
    assert.deepEqual({ code, hung }, { code: 1, hung: false });
    assert.ok(stderr.includes(`ferroflare: `) && stderr.includes(shown), stderr);
    assert.ok(!stderr.includes("node:internal"), stderr);
  });
}

test("the command goes on when alarms and requests throw what cannot be looked at", async (t) => {
  const cwd = await temporaryDirectory(t);
  for (const [name, [thrown]] of Object.entries(THROWN)) {
    const file = path.join(cwd, "worker.mjs");
    await writeFile(file, worker(thrown));
    const cli = await startCli(t, ["worker.mjs", "--do", "OBJECT=OBJECT"], { cwd });
    await cli.text("/alarm");
    await cli.text("/throw");
    assert.equal(await cli.text("/"), "ok", name);
    const { signal } = await cli.end("SIGTERM");
    assert.equal(signal, "SIGTERM", name);
  }
});
