/** One connection to one Redis server, for reading what Miniflare 2 has stored. The storage itself does not use it. */
import { readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { withDeadline } from "../../../shared/deadline";
import { parseRedisUrl, type RedisAddress, RedisError, shownUrl } from "../../../shared/redis-url";
import { encodeCommand, type Reply, ReplyError, ReplyReader } from "./resp";

const CONNECT_MS_MAX = 10_000;
const REPLY_MS_MAX = 60_000;

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

export class RedisClient {
  readonly #socket: net.Socket;
  readonly #name: string;
  readonly #reader = new ReplyReader();
  /** Those whose replies are to come, in the order of their commands. */
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;

  private constructor(socket: net.Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /**
   * Connects, and logs in and chooses the database as the URL says.
   *
   * # Errors
   * `RedisError` that names the server, without the password.
   */
  static async connect(url: string): Promise<RedisClient> {
    const address = parseRedisUrl(url);
    const name = shownUrl(url);
    const client = new RedisClient(await opened(address, name), name);
    try {
      const { user, password, database } = address;
      if (password !== undefined) {
        await client.call("AUTH", ...(user === undefined ? [] : [user]), password);
      }
      if (database !== 0) await client.call("SELECT", String(database));
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** # Errors `RedisError` if the server refuses the command or does not answer. */
  call(...words: (string | Buffer)[]): Promise<Reply> {
    return this.#reply(words).catch((error: Error) => {
      throw new RedisError(`Cannot use ${this.#name}: ${error.message}.`);
    });
  }

  async #reply(words: (string | Buffer)[]): Promise<Reply> {
    if (this.#failure !== undefined) throw this.#failure;
    const replied = new Promise<Reply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    this.#socket.write(encodeCommand(words));
    const late = () => new Error(`it has not answered for ${REPLY_MS_MAX / 1000} seconds`);
    const reply = await withDeadline(replied, REPLY_MS_MAX, late);
    if (reply instanceof ReplyError) throw reply;
    return reply;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const reply of this.#reader.push(chunk)) this.#waiting.shift()?.resolve(reply);
    } catch (error) {
      this.#fail(error as Error);
      this.#socket.destroy();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

async function opened(address: RedisAddress, name: string): Promise<net.Socket> {
  const socket = start(address);
  const ready = new Promise<void>((resolve, reject) => {
    socket.once(address.tls ? "secureConnect" : "connect", resolve);
    socket.once("error", reject);
  });
  const late = () => new Error(`it has not answered for ${CONNECT_MS_MAX / 1000} seconds`);
  try {
    await withDeadline(ready, CONNECT_MS_MAX, late);
    return socket;
  } catch (error) {
    socket.destroy();
    throw new RedisError(`Cannot connect to ${name}: ${reasonOf(error)}.`);
  }
}

function start({ host, port, tls: secure }: RedisAddress): net.Socket {
  if (secure === undefined) return net.connect({ host, port, noDelay: true });
  const { ca, verify } = secure;
  return tls.connect({
    host,
    port,
    ...(net.isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca: readAuthority(ca) }),
  });
}

function readAuthority(file: string): Buffer {
  const place = path.resolve(file);
  try {
    return readFileSync(place);
  } catch (error) {
    throw new RedisError(
      `Cannot read the certificate ${place} that the Redis URL names with "ca": ${(error as Error).message}.`,
    );
  }
}

/** What went wrong; Node.js tries several addresses of a host, and reports them together. */
function reasonOf(error: unknown): string {
  const { errors } = error as { errors?: Error[] };
  return (errors?.[0] ?? (error as Error)).message;
}
