// S7: rediss:// speaks TLS, and trusts what it is told to trust and nothing else.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Miniflare } from "ferroflare";
import { makeCertificates } from "../support/certificates.mjs";
import { runModule } from "../support/cli.mjs";
import { count, options } from "../support/files.mjs";
import { RedisServer } from "../support/redis.mjs";

let directory;
let server;
before(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), "ferroflare-tls-"));
  server = await RedisServer.start({ tls: makeCertificates(directory), password: "s3cret-word" });
});
after(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

function miniflare(t, url) {
  const mf = new Miniflare({ ...options, durableObjectsPersist: url });
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

const plain = () => server.url().replace(/\?.*/, "");

/** What a process with this environment prints that counts once at `url`. */
async function countElsewhere(url, env) {
  const { stdout, hung } = await runModule(
    `
    import { Miniflare } from "ferroflare";
    const mf = new Miniflare(${JSON.stringify({ ...options, durableObjectsPersist: url })});
    try {
      const response = await mf.dispatchFetch("http://localhost:8787/elsewhere");
      console.log(await response.text());
      await mf.dispose();
    } catch (error) {
      console.log(error.code, error.message);
    }`,
    { env },
  );
  assert.equal(hung, false);
  return stdout.trim();
}

test("S7: rediss://…?ca=FILE trusts the authority in the file", async (t) => {
  assert.equal(await count(miniflare(t, server.url())), 1);
  assert.equal(await count(miniflare(t, server.url())), 2);
});

test("S7: rediss://localhost is checked by its name", async (t) => {
  const named = server.url(1).replace("127.0.0.1", "localhost");
  assert.equal(await count(miniflare(t, named)), 1);
});

test("S7: rediss:// trusts what NODE_EXTRA_CA_CERTS adds", async () => {
  const authority = path.join(directory, "ca.pem");
  assert.equal(await countElsewhere(plain(), { NODE_EXTRA_CA_CERTS: authority }), "1");
});

test("S7: rediss:// refuses a server whose authority it does not know", async () => {
  const refused = await countElsewhere(plain(), { NODE_EXTRA_CA_CERTS: undefined });
  assert.match(refused, /^ERR_REDIS_UNREACHABLE .*certificate/i);
  assert.ok(refused.includes(server.host), refused);
  assert.ok(!refused.includes("s3cret-word"), refused);
});

test("S7: rediss://…#insecure trusts everybody", async (t) => {
  assert.equal(await count(miniflare(t, `${plain().replace(/\d$/, "2")}#insecure`)), 1);
});

test("S7: redis:// does not reach a server that speaks TLS alone", async (t) => {
  const mf = miniflare(t, plain().replace("rediss:", "redis:"));
  await assert.rejects(count(mf), (error) => {
    assert.equal(error.code, "ERR_REDIS_UNREACHABLE");
    assert.ok(!error.message.includes("s3cret-word"));
    return true;
  });
});
