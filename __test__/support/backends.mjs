// The places that data is kept in, for tests that must hold on each of them.
import { after, before, describe } from "node:test";
import { temporaryDirectory } from "./cli.mjs";
import { RedisServer } from "./redis.mjs";

/**
 * Describes the tests of `tests(place)` once for each backend. `place(t)` gives what `durableObjectsPersist` is to be for
 * a new place; `place.backend` names the backend, and `place.server()` is the Redis server.
 */
export function onEachBackend(name, tests, backends = ["memory", "files", "redis"]) {
  for (const backend of backends) {
    describe(`${name} (${backend})`, () => {
      let server;
      let database = 0;
      before(async () => {
        if (backend === "redis") server = await RedisServer.start();
      });
      after(() => server?.close());
      const places = {
        memory: async () => false,
        files: (t) => temporaryDirectory(t),
        redis: async () => server.url(database++ % 16),
      };
      tests(Object.assign(places[backend], { backend, server: () => server }));
    });
  }
}
