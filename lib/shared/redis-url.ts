/** Takes a `redis://` or `rediss://` URL apart as far as one server is meant, and shows URLs without their password. */

/** A failure that says all there is to say in one line. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

export interface RedisAddress {
  host: string;
  port: number;
  user: string | undefined;
  password: string | undefined;
  database: number;
  tls: { ca: string | undefined; verify: boolean } | undefined;
}

const PORT_DEFAULT = 6379;
const SCHEME = /^rediss?:\/\//i;

export function isRedisUrl(place: string): boolean {
  return SCHEME.test(place);
}

/** Where the options of a URL begin. */
const OPTIONS = /[?&](ca|cert|key|cluster|sentinel\w*)(=|&|#|$)|#insecure$/;

/**
 * The URL as it may be shown: with stars for its passwords.
 *
 * A password that is not encoded may hold `/`, `@`, `?` or `#`. So the login ends at the last `@` before the options.
 */
export function shownUrl(url: string): string {
  const scheme = /^[a-z]+:\/\//i.exec(url)?.[0];
  if (scheme === undefined) return url;
  const rest = url.slice(scheme.length).replace(/([?&]sentinel_password=)[^&#]*/, "$1***");
  const options = rest.search(OPTIONS);
  const at = (options === -1 ? rest : rest.slice(0, options)).lastIndexOf("@");
  if (at === -1) return scheme + rest;
  const user = rest.slice(0, at).split(":", 1)[0];
  return `${scheme}${user}:***${rest.slice(at)}`;
}

/** Whether a URL names more than one server, or one that only knows which servers there are. */
export function isGroupUrl(url: string): boolean {
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "";
  return (
    authority.slice(authority.lastIndexOf("@") + 1).includes(",") ||
    /[?&](sentinel|cluster)\b/.test(url)
  );
}

/** # Errors `RedisError` if it is no URL of one server. */
export function parseRedisUrl(text: string): RedisAddress {
  const url = parsed(text);
  const database = url.pathname.replace(/^\/|\/$/g, "") || "0";
  if (!/^\d{1,9}$/.test(database)) {
    throw new RedisError(
      `${shownUrl(text)}: "${database}" is no number of a database: end the URL with one, as in ${url.protocol}//host:6379/0.`,
    );
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost",
    port: url.port === "" ? PORT_DEFAULT : Number(url.port),
    user: decoded(url.username),
    password: decoded(url.password),
    database: Number(database),
    tls: SCHEME.exec(text)![0].toLowerCase() === "rediss://" ? tlsOf(url) : undefined,
  };
}

function parsed(text: string): URL {
  try {
    if (SCHEME.test(text)) return new URL(text);
  } catch {
    // The same error as for any other text that is no URL.
  }
  throw new RedisError(
    `${shownUrl(text)} is no Redis URL: it has the form redis://user:password@host:6379/0.`,
  );
}

function tlsOf(url: URL): RedisAddress["tls"] {
  const ca = url.searchParams.get("ca") ?? undefined;
  return { ca, verify: url.hash !== "#insecure" };
}

function decoded(part: string): string | undefined {
  if (part === "") return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
