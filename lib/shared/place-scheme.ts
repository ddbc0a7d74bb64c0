/** Tells URLs that are no place for data from paths and from URLs of Redis. */
import { didYouMean } from "./nearest";
import { isRedisUrl, shownUrl } from "./redis-url";

const SCHEMES = ["redis", "rediss"];

/** What is wrong with a URL that is none of a Redis; `undefined` if nothing is, or if it is a path. */
export function wrongScheme(place: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(place)?.[1];
  if (scheme === undefined || isRedisUrl(place)) return undefined;
  const meant = didYouMean(scheme, SCHEMES, (name) => `${name}://`);
  const hint = scheme === "file" ? " Give the path without its scheme." : meant;
  return `${shownUrl(place)} is no place for data: its scheme is "${scheme}".${hint} A place is a path, or a redis:// or rediss:// URL.`;
}
