/** The hibernating WebSockets of all objects of a `Miniflare` instance, also of objects that do not run. */
import type { End } from "../sockets";
import { type Home, ObjectSockets } from "./object-sockets";

const homes = new WeakMap<object, SocketsHome>();

/** The home of plugins that share something: those of a worker and of its mounts. */
export function socketsHome(shared: object): SocketsHome {
  const known = homes.get(shared);
  if (known !== undefined) return known;
  const home = new SocketsHome();
  homes.set(shared, home);
  return home;
}

export class SocketsHome implements Home {
  /** Of objects that do not run, by object. */
  readonly #asleep = new Map<string, ObjectSockets>();
  /** Of objects that have sockets. */
  readonly #open = new Set<ObjectSockets>();
  #savepoint = 0;

  /** How many savepoints of tests have begun. A socket that is accepted now belongs to the newest. */
  get savepoint(): number {
    return this.#savepoint;
  }

  /** The sockets of an object that is about to be constructed. `wake` constructs it if it does not run. */
  of(key: string, wake: () => void): ObjectSockets {
    const known = this.#asleep.get(key);
    this.#asleep.delete(key);
    return known ?? new ObjectSockets(key, this, wake);
  }

  noteAsleep(key: string, sockets: ObjectSockets): void {
    this.#asleep.set(key, sockets);
  }

  noteOpen(sockets: ObjectSockets): void {
    this.#open.add(sockets);
  }

  noteEmpty(sockets: ObjectSockets): void {
    this.#open.delete(sockets);
  }

  /** Begins or ends a savepoint. Sockets that were accepted in an inner savepoint close. */
  enterSavepoint(savepoint: number): void {
    this.#savepoint = savepoint;
    for (const sockets of [...this.#open]) sockets.closeAbove(savepoint);
  }

  /** Lets all sockets sleep: their instances are not reached any more. An object without a socket begins as a new one. */
  sleep(): void {
    for (const sockets of [...this.#open]) sockets.sleep();
    for (const [key, sockets] of this.#asleep) {
      if (!this.#open.has(sockets)) this.#asleep.delete(key);
    }
  }

  /** Closes the sockets of the objects that do not run. */
  end(how: End): void {
    for (const sockets of this.#asleep.values()) sockets.end(how);
    this.#asleep.clear();
  }
}
