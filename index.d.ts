// The public types of `ferroflare`.
export type { RequestInfo, RequestInit } from "@miniflare/core";
export { Request, Response } from "@miniflare/core";
export { Log, LogLevel } from "@miniflare/shared";
export { ALARM_KEY, AlarmStore } from "./dist/alarms";
export type { DurableObjectErrorCode } from "./dist/error";
export { DurableObjectError } from "./dist/error";
export type { ServerOptions } from "./dist/miniflare";
export { Miniflare } from "./dist/miniflare";
export type { MiniflareOptions, MountOptions } from "./dist/miniflare-options";
export type { NewUniqueIdOptions } from "./dist/namespace";
export { DurableObjectId, DurableObjectNamespace } from "./dist/namespace";
export { coreVersion } from "./dist/native";
export type { DurableObjectsObjectsOptions, DurableObjectsOptions } from "./dist/options";
export { DurableObjectsPlugin } from "./dist/plugin";
export type { Plugins } from "./dist/plugins";
export { PLUGINS } from "./dist/plugins";
export { startREPL } from "./dist/repl";
export type { DurableObject, DurableObjectConstructor } from "./dist/state";
export { DurableObjectState } from "./dist/state";
export { DurableObjectStorage } from "./dist/storage";
export type { RedisConnection } from "./dist/storage-factory";
export { VariedStorageFactory } from "./dist/storage-factory";
export type {
  DurableObjectAlarmBridge,
  DurableObjectGetAlarmOptions,
  DurableObjectGetOptions,
  DurableObjectListOptions,
  DurableObjectOperator,
  DurableObjectPutOptions,
  DurableObjectSetAlarmOptions,
} from "./dist/storage-options";
export type { DurableObjectFactory } from "./dist/stub";
export { DurableObjectStub } from "./dist/stub";
export { _kRunWithGates, kAlarmExists } from "./dist/symbols";
export { DurableObjectTransaction } from "./dist/transaction";
export type { UpdateCheckOptions } from "./dist/update-check";
export { updateCheck } from "./dist/update-check";
