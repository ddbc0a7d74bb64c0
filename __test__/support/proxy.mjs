// Stands between clients and a server, and cuts their connections where a test says so.
import { once } from "node:events";
import net from "node:net";
import { ReplyReader } from "../../dist/cli/import/redis/resp.js";

const HOST = "127.0.0.1";

/**
 * Passes everything on until it is told otherwise. A cut is used up by the first connection that reaches it:
 *
 * - `cutAfterRequest(text)`: the command with that text reaches the server, its reply is dropped.
 * - `cutRequests(bytes)`: so many bytes more reach the server, not a whole command perhaps.
 * - `cutReplies(bytes)`: so many bytes more reach a client.
 */
export class CuttingProxy {
  #server;
  #target;
  #pairs = new Set();
  #cut;
  #done;
  /** While true, no connection is accepted. */
  refusing = false;
  /** How many connections there have been. */
  connections = 0;
  /** The commands that have passed, in order, by name; if that is to be known. */
  commands = [];
  #records = false;

  static async start(targetPort, { records = false } = {}) {
    const proxy = new CuttingProxy();
    proxy.#target = targetPort;
    proxy.#records = records;
    proxy.#server = net.createServer((client) => proxy.#connect(client)).listen(0, HOST);
    await once(proxy.#server, "listening");
    proxy.port = proxy.#server.address().port;
    return proxy;
  }

  get host() {
    return `${HOST}:${this.port}`;
  }

  url(database = 0) {
    return `redis://${this.host}/${database}`;
  }

  cutAfterRequest(text) {
    return this.#arm({ text });
  }

  cutRequests(bytes) {
    return this.#arm({ requests: bytes });
  }

  cutReplies(bytes) {
    return this.#arm({ replies: bytes });
  }

  /** Resolves when a connection has been cut there. */
  #arm(cut) {
    this.#cut = cut;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  /** Takes back a cut that has not been used up. */
  disarm() {
    this.#cut = undefined;
  }

  #used() {
    this.disarm();
    this.#done();
  }

  #connect(client) {
    if (this.refusing) {
      client.destroy();
      return;
    }
    this.connections++;
    const upstream = net.connect(this.#target, HOST);
    const pair = { client, upstream, reader: this.#records ? new ReplyReader() : undefined };
    this.#pairs.add(pair);
    client.on("data", (bytes) => this.#request(pair, bytes));
    upstream.on("data", (bytes) => this.#reply(pair, bytes));
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on("error", end).on("close", () => pair.deaf || end());
    upstream.on("error", end).on("close", end);
  }

  #request(pair, bytes) {
    if (pair.deaf) return;
    // Commands look as arrays in replies do.
    for (const [name] of pair.reader?.push(bytes) ?? [])
      this.commands.push(`${name}`.toUpperCase());
    const { text, requests } = this.#cut ?? {};
    if (requests !== undefined && bytes.length > requests) {
      pair.deaf = true;
      pair.upstream.end(bytes.subarray(0, requests), () => pair.client.destroy());
      this.#used();
      return;
    }
    if (requests !== undefined) this.#cut.requests -= bytes.length;
    pair.upstream.write(bytes);
    // What came with it reaches the server too, and all of it is carried out before the connection ends.
    if (text !== undefined && bytes.includes(text)) {
      pair.deaf = true;
      pair.client.destroy();
      pair.upstream.end();
      this.#used();
    }
  }

  #reply(pair, bytes) {
    if (pair.deaf) return;
    const { replies } = this.#cut ?? {};
    if (replies !== undefined && bytes.length > replies) {
      pair.deaf = true;
      pair.client.end(bytes.subarray(0, replies), () => pair.client.destroy());
      pair.upstream.end();
      this.#used();
      return;
    }
    if (replies !== undefined) this.#cut.replies -= bytes.length;
    pair.client.write(bytes);
  }

  /** Ends every connection now. */
  cutAll() {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  async close() {
    this.#server.close();
    this.cutAll();
    await once(this.#server, "close");
  }
}

/** Starts a proxy that the test's end stops. */
export async function startProxy(t, targetPort, options) {
  const proxy = await CuttingProxy.start(targetPort, options);
  t.after(() => proxy.close());
  return proxy;
}
