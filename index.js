// What `require("ferroflare")` gives. The Durable Objects are loaded at once, the `Miniflare` class and what belongs to it
// when first asked for: as a drop-in for @miniflare/durable-objects this module is loaded by Miniflare itself, in every
// test environment, and must not load an HTTP server there or close an import cycle.

const { ALARM_KEY, AlarmStore } = require("./dist/alarms.js");
const { DurableObjectError } = require("./dist/error.js");
const { DurableObjectId, DurableObjectNamespace } = require("./dist/namespace.js");
const { coreVersion } = require("./dist/native.js");
const { DurableObjectsPlugin } = require("./dist/plugin.js");
const { DurableObjectState } = require("./dist/state.js");
const { DurableObjectStorage } = require("./dist/storage.js");
const { DurableObjectStub } = require("./dist/stub.js");
const { _kRunWithGates, kAlarmExists } = require("./dist/symbols.js");
const { DurableObjectTransaction } = require("./dist/transaction.js");

module.exports = {
  ALARM_KEY,
  AlarmStore,
  DurableObjectError,
  DurableObjectId,
  DurableObjectNamespace,
  DurableObjectState,
  DurableObjectStorage,
  DurableObjectStub,
  DurableObjectTransaction,
  DurableObjectsPlugin,
  _kRunWithGates,
  coreVersion,
  kAlarmExists,
  get Log() {
    return require("@miniflare/shared").Log;
  },
  get LogLevel() {
    return require("@miniflare/shared").LogLevel;
  },
  get Miniflare() {
    return require("./dist/miniflare.js").Miniflare;
  },
  get PLUGINS() {
    return require("./dist/plugins.js").PLUGINS;
  },
  get Request() {
    return require("@miniflare/core").Request;
  },
  get Response() {
    return require("@miniflare/core").Response;
  },
  get VariedStorageFactory() {
    return require("./dist/storage-factory.js").VariedStorageFactory;
  },
  get startREPL() {
    return require("./dist/repl.js").startREPL;
  },
  get updateCheck() {
    return require("./dist/update-check.js").updateCheck;
  },
};
