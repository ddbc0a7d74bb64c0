// The public types of `ferroflare`.
export type { RequestInfo, RequestInit } from "@miniflare/core";
export { Request, Response } from "@miniflare/core";
export { Log, LogLevel } from "@miniflare/shared";
export { AlarmStore } from "./dist/durable-objects/alarms";
export type { NewUniqueIdOptions } from "./dist/durable-objects/namespace";
export { DurableObjectId, DurableObjectNamespace } from "./dist/durable-objects/namespace";
export type {
  DurableObjectsObjectsOptions,
  DurableObjectsOptions,
} from "./dist/durable-objects/options";
export { DurableObjectsPlugin } from "./dist/durable-objects/plugin";
export type { DurableObject, DurableObjectConstructor } from "./dist/durable-objects/state";
export { DurableObjectState } from "./dist/durable-objects/state";
export type { DurableObjectFactory } from "./dist/durable-objects/stub";
export { DurableObjectStub } from "./dist/durable-objects/stub";
export type { ServerOptions } from "./dist/miniflare/miniflare";
export { Miniflare } from "./dist/miniflare/miniflare";
export type { MiniflareOptions, MountOptions } from "./dist/miniflare/options";
export type { Plugins } from "./dist/miniflare/plugins";
export { PLUGINS } from "./dist/miniflare/plugins";
export { startREPL } from "./dist/miniflare/repl";
export type { RedisConnection } from "./dist/miniflare/storage-factory";
export { VariedStorageFactory } from "./dist/miniflare/storage-factory";
export type { UpdateCheckOptions } from "./dist/miniflare/update-check";
export { updateCheck } from "./dist/miniflare/update-check";
export { coreVersion } from "./dist/native/addon";
export { ALARM_KEY } from "./dist/shared/alarm-key";
export type { DurableObjectErrorCode } from "./dist/shared/error";
export { DurableObjectError } from "./dist/shared/error";
export { _kRunWithGates, kAlarmExists } from "./dist/shared/symbols";
export type {
  DurableObjectAlarmBridge,
  DurableObjectGetAlarmOptions,
  DurableObjectGetOptions,
  DurableObjectListOptions,
  DurableObjectOperator,
  DurableObjectPutOptions,
  DurableObjectSetAlarmOptions,
} from "./dist/storage/options";
export type { SqlRow, SqlStorageValue } from "./dist/storage/sql/cursor";
export type { SyncKvStorage } from "./dist/storage/sql/kv";
export type { SqlStorage } from "./dist/storage/sql/sql";
export type { SqliteStorage } from "./dist/storage/sql/sqlite-storage";
export { DurableObjectStorage } from "./dist/storage/storage";
export { DurableObjectTransaction } from "./dist/storage/transaction";
