// What `import … from "ferroflare"` gives: the very same classes as `require("ferroflare")`, all loaded at once.
import ferroflare from "./index.js";

export const {
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
  Log,
  LogLevel,
  Miniflare,
  PLUGINS,
  Request,
  Response,
  VariedStorageFactory,
  _kRunWithGates,
  coreVersion,
  kAlarmExists,
  startREPL,
  updateCheck,
} = ferroflare;

export default ferroflare;
