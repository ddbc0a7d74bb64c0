// The chat: a page, the sockets of its users, and what was said in a room.
import page from "./page.html";
import type { Env } from "./room";

export { Room } from "./room";

export default {
  async fetch(request, env): Promise<Response> {
    const [, room = "", what] = new URL(request.url).pathname.split("/");
    if (room === "") return new Response(page, { headers: { "content-type": "text/html" } });
    const stub = env.ROOM.getByName(room);
    if (what === "socket") {
      if (request.headers.get("Upgrade") !== "websocket") {
        return new Response("This address is for WebSockets.", { status: 426 });
      }
      return stub.fetch(request);
    }
    if (request.method === "POST") {
      return Response.json(await stub.say("post", await request.text()));
    }
    return Response.json(await stub.history());
  },
} satisfies ExportedHandler<Env>;
