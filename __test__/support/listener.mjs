// A server of bytes for tests of what a peer may do wrong.
import { once } from "node:events";
import net from "node:net";

/** Listens until the test has ended, and gives each connection to `answer`. Returns host and port. */
export async function listener(t, answer) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    answer(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${server.address().port}`;
}
