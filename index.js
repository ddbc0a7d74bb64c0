// What `require("ferroflare")` gives. The Durable Objects are loaded at once, the `Miniflare` class and what belongs to
// it at the first use. As a drop-in for @miniflare/durable-objects this module is loaded by Miniflare itself, in every
// test environment. It must not load an HTTP server there or close an import cycle.

const { ALARM_KEY } = require("./dist/shared/alarm-key.js");
const { AlarmStore } = require("./dist/durable-objects/alarms.js");
const { DurableObjectError } = require("./dist/shared/error.js");
const { DurableObjectId, DurableObjectNamespace } = require("./dist/durable-objects/namespace.js");
const { coreVersion } = require("./dist/native/addon.js");
const { DurableObjectsPlugin } = require("./dist/durable-objects/plugin.js");
const { DurableObjectState } = require("./dist/durable-objects/state.js");
const { DurableObjectStorage } = require("./dist/storage/storage.js");
const { DurableObjectStub } = require("./dist/durable-objects/stub.js");
const { _kRunWithGates, kAlarmExists } = require("./dist/shared/symbols.js");
const { DurableObjectTransaction } = require("./dist/storage/transaction.js");

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
    return require("./dist/miniflare/miniflare.js").Miniflare;
  },
  get PLUGINS() {
    return require("./dist/miniflare/plugins.js").PLUGINS;
  },
  get Request() {
    return require("@miniflare/core").Request;
  },
  get Response() {
    return require("@miniflare/core").Response;
  },
  get VariedStorageFactory() {
    return require("./dist/miniflare/storage-factory.js").VariedStorageFactory;
  },
  get startREPL() {
    return require("./dist/miniflare/repl.js").startREPL;
  },
  get updateCheck() {
    return require("./dist/miniflare/update-check.js").updateCheck;
  },
};
