/** Remembers the objects met in one value: a second meeting must become a back reference, which is V8's business. */
export class SeenObjects {
  readonly #objects: (object | undefined)[];
  #count = 0;

  /** Objects are looked up one by one, so `objectsMax` is to be small. */
  constructor(objectsMax: number) {
    this.#objects = new Array(objectsMax).fill(undefined);
  }

  /** Whether `object` is new, and there is room for it. */
  admits(object: object): boolean {
    const objects = this.#objects;
    const count = this.#count;
    if (count === objects.length) return false;
    for (let i = 0; i < count; i++) if (objects[i] === object) return false;
    objects[count] = object;
    this.#count = count + 1;
    return true;
  }

  /** Forgets the objects, so that they can be collected. */
  forget(): void {
    for (let i = 0; i < this.#count; i++) this.#objects[i] = undefined;
    this.#count = 0;
  }
}
