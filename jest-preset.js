// What `preset: "ferroflare"` gives to Jest: the environment, and the module `cloudflare:workers`.
module.exports = {
  testEnvironment: "ferroflare/jest",
  moduleNameMapper: { "^cloudflare:workers$": "ferroflare/cloudflare-workers" },
};
