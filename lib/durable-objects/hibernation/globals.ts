/** Gives workers the class `WebSocketRequestResponsePair` beside Miniflare's classes of WebSockets. */
import type { SetupResult } from "@miniflare/shared";
import { WebSocketPlugin } from "@miniflare/web-sockets";
import { replaceMethods } from "../../shared/replace-methods";
import "./attachments";
import { WebSocketRequestResponsePair } from "./pair";

replaceMethods(WebSocketPlugin.prototype, {
  setup: (setup) =>
    async function (this: unknown) {
      const result: SetupResult = await setup.call(this);
      return { ...result, globals: { ...result?.globals, WebSocketRequestResponsePair } };
    },
});
