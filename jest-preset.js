// What `preset: "ferroflare"` gives to Jest: the environment, and the modules `cloudflare:workers` and `cloudflare:test`.
module.exports = {
  testEnvironment: "ferroflare/jest",
  moduleNameMapper: {
    "^cloudflare:workers$": "ferroflare/cloudflare-workers",
    "^cloudflare:test$": "ferroflare/cloudflare-test",
  },
};
