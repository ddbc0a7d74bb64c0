// What Jest takes for `cloudflare:test`: the module that `ferroflare/jest` has put into the global scope.
const { TEST_GLOBAL } = require("./dist/testing/names.js");

const helpers = globalThis[Symbol.for(TEST_GLOBAL)];
if (helpers === undefined) {
  throw new Error(
    'cloudflare:test exists only in the test environment "ferroflare/jest": name it as the testEnvironment.',
  );
}

module.exports = helpers;
