// What `testEnvironment: "ferroflare/jest"` names: the environment class, as Jest loads it.
module.exports = require("./dist/testing/jest.js").default;
