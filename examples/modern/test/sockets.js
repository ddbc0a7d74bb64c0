// What the tests of both runners do with sockets.

const queues = new WeakMap();

/** Opens the socket of a user. */
export async function open(room, user) {
  const response = await room.fetch(`http://chat/lobby/socket?user=${user}`, {
    headers: { Upgrade: "websocket" },
  });
  const socket = response.webSocket;
  const queue = { events: [], arrived: () => {} };
  queues.set(socket, queue);
  socket.addEventListener("message", ({ data }) => {
    queue.events.push(data);
    queue.arrived();
  });
  socket.accept();
  return socket;
}

/** Waits for some events of a socket, and gives them in short. */
export async function events(socket, count) {
  const queue = queues.get(socket);
  while (queue.events.length < count) {
    await new Promise((resolve) => {
      queue.arrived = resolve;
    });
  }
  return queue.events.splice(0, count).map(inShort);
}

function inShort(data) {
  if (!data.startsWith("{")) return data;
  const { message, ...event } = JSON.parse(data);
  return message ? { said: `${message.from}: ${message.text}` } : event;
}
