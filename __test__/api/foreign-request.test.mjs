// Requests, and what they are made of, of other classes than Miniflare's.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare, Request as OwnRequest } from "ferroflare";
import { packageRoot } from "../support/cli.mjs";
import { newRealm } from "../support/realm.mjs";

/** Answers with what came, from the object and from the worker alike. */
const script = `
  const describe = async (request) => {
    const type = request.headers.get("content-type") ?? "";
    const body = type.startsWith("multipart/")
      ? await Promise.all([...(await request.formData())].map(async ([name, value]) => [name, typeof value === "string" ? value : [value.name, value.type, await value.text()]]))
      : await request.text();
    const headers = Object.fromEntries(["a", "b"].map((name) => [name, request.headers.get(name)]));
    const { method, url, redirect, cf, signal } = request;
    return Response.json({ method, url, redirect, cf, headers, type: type.split(";")[0], body, aborted: signal?.aborted });
  };
  export class Tested {
    fetch(request) {
      return request.url.endsWith("redirect") ? Response.redirect("http://localhost/") : describe(request);
    }
  }
  export default { fetch: describe };`;
const URL_TEXT = "http://localhost/path?query";

let mf;
let stub;
before(async () => {
  mf = new Miniflare({
    modules: true,
    script,
    durableObjects: { TESTED: "Tested" },
    compatibilityFlags: ["formdata_parser_supports_files"],
  });
  const namespace = await mf.getDurableObjectNamespace("TESTED");
  stub = namespace.get(namespace.newUniqueId());
});
after(() => mf.dispose());

/** Another copy of undici and of Miniflare, as in a package that is linked. */
const copy = newRealm(path.join(packageRoot, "package.json")).require;
const classes = {
  "Node.js": globalThis,
  "another undici": copy("undici"),
  "another Miniflare": copy("@miniflare/core"),
  "undici below Miniflare": createRequire(import.meta.url)("undici"),
};

const body = {
  string: () => "text",
  stream: () => new Blob(["text"]).stream(),
  bytes: () => new TextEncoder().encode("text"),
  buffer: () => new TextEncoder().encode("text").buffer,
};

for (const [target, send] of [
  ["stub.fetch", (...given) => stub.fetch(...given)],
  ["dispatchFetch", (...given) => mf.dispatchFetch(...given)],
]) {
  const sent = async (...given) => (await send(...given)).json();

  for (const [origin, { Request, Headers, FormData }] of Object.entries(classes)) {
    describe(`${target}: a Request of ${origin}`, () => {
      test("without a body", async () => {
        const { method, url, body, redirect } = await sent(new Request(URL_TEXT));
        assert.deepEqual([method, url, body, redirect], ["GET", URL_TEXT, "", "follow"]);
      });

      for (const [kind, make] of Object.entries(body)) {
        test(`with method, headers, redirect and a body (${kind})`, async () => {
          const request = new Request(URL_TEXT, {
            method: "PUT",
            headers: { a: "1", b: "2" },
            redirect: "manual",
            body: make(),
            duplex: "half",
          });
          const got = await sent(request);
          assert.deepEqual(
            [got.method, got.url, got.redirect, got.headers, got.body],
            ["PUT", URL_TEXT, "manual", { a: "1", b: "2" }, "text"],
          );
          assert.ok(request.bodyUsed);
        });
      }

      test("with a form, and with search parameters", async () => {
        const form = new (FormData ?? globalThis.FormData)();
        form.append("field", "value");
        form.append("file", new Blob(["content"], { type: "text/x" }), "name.txt");
        const got = await sent(new Request(URL_TEXT, { method: "POST", body: form }));
        assert.equal(got.type, "multipart/form-data");
        assert.deepEqual(got.body, [
          ["field", "value"],
          ["file", ["name.txt", "text/x", "content"]],
        ]);
        const params = new URLSearchParams("a=b&c=d");
        const { type, body } = await sent(new Request(URL_TEXT, { method: "POST", body: params }));
        assert.deepEqual([type, body], ["application/x-www-form-urlencoded", "a=b&c=d"]);
      });

      test("with an init beside it", async () => {
        const request = new Request(URL_TEXT, { method: "POST", headers: { a: "1" }, body: "old" });
        const got = await sent(request, { method: "PUT", headers: { b: "2" }, body: "new" });
        assert.deepEqual([got.method, got.headers, got.body], ["PUT", { a: null, b: "2" }, "new"]);
        assert.ok(!request.bodyUsed);
      });

      test("as the init of a URL", async () => {
        const init = new Request("http://other/", {
          method: "POST",
          headers: { a: "1" },
          body: "x",
        });
        const got = await sent(URL_TEXT, init);
        assert.deepEqual(
          [got.method, got.url, got.headers.a, got.body],
          ["POST", URL_TEXT, "1", "x"],
        );
      });

      test("whose signal is aborted", async () => {
        const { signal } = new AbortController();
        assert.equal((await sent(new Request(URL_TEXT, { signal }))).aborted, false);
        assert.equal(
          (await sent(new Request(URL_TEXT, { signal: AbortSignal.abort() }))).aborted,
          true,
        );
      });

      test("whose body has been used is refused", async () => {
        const request = new Request(URL_TEXT, { method: "POST", body: "x" });
        await request.text();
        await assert.rejects(send(request), TypeError);
      });

      test("and members of its classes", async () => {
        const headers = new (Headers ?? globalThis.Headers)({ a: "1" });
        const got = await sent(new URL(URL_TEXT), { method: "POST", headers, body: "x" });
        assert.deepEqual([got.headers.a, got.body], ["1", "x"]);
        const form = new (FormData ?? globalThis.FormData)();
        form.append("field", "value");
        const own = new OwnRequest(URL_TEXT, { method: "POST", headers, body: form });
        assert.deepEqual((await sent(own)).body, [["field", "value"]]);
      });
    });
  }

  test(`${target}: cf of another Miniflare's Request, and search parameters of another copy`, async () => {
    const { Request } = classes["another Miniflare"];
    assert.deepEqual((await sent(new Request(URL_TEXT, { cf: { country: "GB" } }))).cf, {
      country: "GB",
    });
    const body = { [Symbol.toStringTag]: "URLSearchParams", toString: () => "a=b" };
    const got = await sent(URL_TEXT, { method: "POST", body });
    assert.deepEqual([got.type, got.body], ["application/x-www-form-urlencoded", "a=b"]);
  });

  test(`${target}: what is no request is refused as before`, async () => {
    await assert.rejects(send({ url: URL_TEXT, method: "GET", headers: {} }), TypeError);
  });
}

test("stub.fetch follows no redirect: the response is the object's own", async () => {
  const response = await stub.fetch(new Request(`${URL_TEXT}&redirect`));
  assert.deepEqual([response.status, response.headers.get("location")], [302, "http://localhost/"]);
});
