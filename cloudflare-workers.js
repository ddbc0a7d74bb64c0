// What Jest takes for `cloudflare:workers`: the module of the worker that `ferroflare/jest` has put into the global scope.
const { WORKERS_GLOBAL } = require("./dist/workers/names.js");

const workers = globalThis[Symbol.for(WORKERS_GLOBAL)];
if (workers === undefined) {
  throw new Error(
    'cloudflare:workers exists only in the test environment "ferroflare/jest": name it as the testEnvironment.',
  );
}

module.exports = workers;
