/** The seed of this run's random tests: `FERROFLARE_SEED`, or a new one. */
const SEEDS = 2 ** 31;

const given = process.env.FERROFLARE_SEED;
export const seed = Number(given ?? Date.now() % SEEDS);
if (!Number.isSafeInteger(seed))
  throw new RangeError(`FERROFLARE_SEED is no whole number: ${given}`);
