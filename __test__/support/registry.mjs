// A package registry with the packed packages of this repository; for every other package it sends on to the real one.

import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import {
  packFolders,
  packPackages,
  platformManifests,
  publishedManifest,
} from "../../scripts/lib/packages.mjs";
import { packageRoot, start } from "./cli.mjs";

/** The registry that package managers use on this machine. */
async function upstreamRegistry() {
  const { npm_config_registry: given } = process.env;
  if (given) return given.replace(/\/*$/, "/");
  const { stdout } = await start("npm", ["config", "get", "registry"], { cwd: packageRoot }).ended;
  return stdout.trim().replace(/\/*$/, "/");
}

/** Package managers keep away from what was published only now. */
const PUBLISHED = "2026-01-01T00:00:00.000Z";

/** What a registry says of a package of which there is one version. */
function packument(manifest, dist) {
  const { name, version } = manifest;
  return {
    name,
    "dist-tags": { latest: version },
    time: { created: PUBLISHED, modified: PUBLISHED, [version]: PUBLISHED },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
  };
}

/**
 * Packs the packages and serves them, as after a release, until `close()`.
 *
 * The platform packages that are not built here hold no addon. They have to exist all the same. Yarn 1 downloads the
 * packages of every platform, and installs those for this system's processor, whatever their C library is.
 */
export async function startRegistry() {
  const folder = await mkdtemp(path.join(os.tmpdir(), "ferroflare-registry-"));
  const [{ packed, missing }, upstream] = await Promise.all([
    packPackages({ destination: folder }),
    upstreamRegistry(),
  ]);
  const unbuilt = missing.map((platform) => path.join(packageRoot, "npm", platform));
  packed.push(...(await packFolders(unbuilt, folder)));
  const manifests = [publishedManifest(), ...platformManifests().values()];
  // What package managers keep of one registry must not be taken for another one's.
  const prefix = `/${randomUUID()}/`;
  const server = http.createServer((request, response) => {
    const wanted = decodeURIComponent(request.url).replace(prefix, "").split("?", 1)[0];
    const manifest = manifests.find(({ name }) => name === wanted);
    const file = packed.find(({ name }) => `${name}.tgz` === wanted)?.file;
    if (manifest) {
      const tarball = `http://${request.headers.host}${prefix}${manifest.name}.tgz`;
      const { integrity, shasum } = packed.find(({ name }) => name === manifest.name);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(packument(manifest, { tarball, integrity, shasum })));
    } else if (file) {
      createReadStream(file).pipe(response);
    } else if (request.method !== "GET" || !request.url.startsWith(prefix)) {
      response.writeHead(404).end();
    } else {
      const location = new URL(request.url.slice(prefix.length), upstream).href;
      response.writeHead(302, { location }).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    packed,
    url: `http://127.0.0.1:${server.address().port}${prefix}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
