/** A seeded source of pseudo-random numbers (sfc32) with the few draws the program generator needs. */

export class Random {
  #a;
  #b;
  #c;
  #counter = 1;

  constructor(seed) {
    this.#a = seed | 0;
    this.#b = Math.trunc(seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 16; i++) this.#next();
  }

  #next() {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    this.#c |= 0;
    return result >>> 0;
  }

  /** An integer in [0, n). */
  below(n) {
    return Math.floor((this.#next() / 0x1_0000_0000) * n);
  }

  /** An integer in [low, high]. */
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  chance(probability) {
    return this.#next() / 0x1_0000_0000 < probability;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** Draws one of `[weight, value]` pairs. */
  weighted(pairs) {
    let rest = this.below(pairs.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of pairs) {
      rest -= weight;
      if (rest < 0) return value;
    }
    throw new Error("weights must be positive integers");
  }

  many(low, high, draw) {
    return Array.from({ length: this.between(low, high) }, (_, index) => draw(index));
  }
}
