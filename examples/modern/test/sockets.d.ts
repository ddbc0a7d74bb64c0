// The types of sockets.js.
import type { Room } from "../src/room";

export function open(room: DurableObjectStub<Room>, user: string): Promise<WebSocket>;
export function events(socket: WebSocket, count: number): Promise<unknown[]>;
