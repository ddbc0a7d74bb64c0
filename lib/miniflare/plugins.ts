/** Lists the plugins of the `Miniflare` class: Miniflare 2's own, in its order, with this package's Durable Objects. */
import { CachePlugin } from "@miniflare/cache";
import { BuildPlugin } from "@miniflare/core";
import { D1Plugin } from "@miniflare/d1";
import { HTMLRewriterPlugin } from "@miniflare/html-rewriter";
import { KVPlugin } from "@miniflare/kv";
import { QueuesPlugin } from "@miniflare/queues";
import { R2Plugin } from "@miniflare/r2";
import { SchedulerPlugin } from "@miniflare/scheduler";
import { SitesPlugin } from "@miniflare/sites";
import { WebSocketPlugin } from "@miniflare/web-sockets";
import { DurableObjectsPlugin } from "../durable-objects/plugin";
import { BindingsPlugin } from "./bindings-plugin";
import { CorePlugin } from "./core-plugin";
import { HTTPPlugin } from "./http-plugin";

/** The order decides the order of the help text and of set-up; `MiniflareCore` itself moves core first and bindings last. */
export const PLUGINS = {
  CorePlugin,
  HTTPPlugin,
  SchedulerPlugin,
  BuildPlugin,
  KVPlugin,
  D1Plugin,
  R2Plugin,
  DurableObjectsPlugin,
  CachePlugin,
  SitesPlugin,
  QueuesPlugin,
  HTMLRewriterPlugin,
  WebSocketPlugin,
  BindingsPlugin,
};

export type Plugins = typeof PLUGINS;
