// Who works on a place in a round of torture: processes, two copies of the package in each process, or processes with the same id.
import { fileURLToPath } from "node:url";
import { Child, Pool } from "../support/child.mjs";
import { ownNumbering } from "../support/first-users.mjs";
import { copyPackage } from "../support/package-copy.mjs";

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** Each process has a number in its own container. */
const NUMBERED = "the same process id";
/** Each process loads the package twice. */
const COPIES = "two copies in one process";

/** What a round may have; where no two processes can have the same id, copies in one process stand for them. */
export const CREWS = ["processes", COPIES, ownNumbering ? NUMBERED : COPIES];

/** The processes of a run, some of which are warm before they are needed. */
export class Crew {
  #size;
  #pool;
  #numbered;
  #copy;

  constructor(size) {
    this.#size = size;
    this.#pool = new Pool(WORKER, size + 1);
  }

  /** A process that probably has its modules. */
  take(kind) {
    if (kind !== NUMBERED) return this.#pool.take();
    this.#numbered ??= new Pool(WORKER, this.#size, { command: ownNumbering });
    return this.#numbered.take();
  }

  /** A process that begins now. */
  start(kind) {
    return new Child(WORKER, kind === NUMBERED ? { command: ownNumbering } : {});
  }

  /** The users that the process of that place in its round has: a slot each, and the copy of the package. */
  users(kind, place, seed) {
    if (kind !== COPIES) return [{ slot: place, seed }];
    this.#copy ??= copyPackage();
    return [
      { slot: 2 * place, seed },
      { slot: 2 * place + 1, seed: seed + 1, copy: this.#copy },
    ];
  }

  /** Kills those that no test has taken. */
  async close() {
    await Promise.all([this.#pool.close(), this.#numbered?.close()]);
  }
}
