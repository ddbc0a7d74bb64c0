/** Times the codec against node:v8, in one process, alternating, on a built `dist`. */
import { createRequire } from "node:module";
import { resolve } from "node:path";
import v8 from "node:v8";
import vm from "node:vm";

const dist = resolve(process.env.FERROFLARE_DIST ?? new URL("../dist", import.meta.url).pathname);
const { ByteWriter, decode, encode, encodesNatively } = createRequire(import.meta.url)(
  `${dist}/codec/index.js`,
);

const ROUNDS = 5;
const ROUND_MS = 60;

const nested = Object.fromEntries(
  Array.from({ length: 50 }, (_, i) => [
    `field${i}`,
    i % 5 === 0
      ? { id: i, tags: ["a", "b"], ok: true }
      : i % 2 === 0
        ? `value ${i}`
        : i * 1.5 + 0.25,
  ]),
);
const cases = {
  "small object": { hello: "world", n: 42, list: [1, 2, 3] },
  number: 42,
  "short string": "hello world",
  "1 KiB string": "0123456789abcdef".repeat(64),
  "100 numbers": Array.from({ length: 100 }, (_, i) => i),
  "nested 50 keys": nested,
  "object of another context": vm.runInNewContext('({ hello: "world", n: 42, list: [1, 2, 3] })'),
};

function nanosecondsPerCall(run) {
  let calls = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < ROUND_MS) {
    for (let i = 0; i < 200; i++) run();
    calls += 200;
    elapsed = performance.now() - start;
  }
  return (elapsed * 1e6) / calls;
}

/** The best of several alternating rounds, so that a busy neighbour does not decide. */
function compare(ours, theirs) {
  let best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    best = [
      Math.min(best[0], nanosecondsPerCall(ours)),
      Math.min(best[1], nanosecondsPerCall(theirs)),
    ];
  }
  return best;
}

const out = new ByteWriter();
const us = (ns) => (ns / 1000).toFixed(2).padStart(7);
console.log(
  `node ${process.version}, us per call        encode  node:v8  ratio   decode  node:v8  ratio`,
);
for (const [name, value] of Object.entries(cases)) {
  const bytes = v8.serialize(value);
  const [encodeNs, serializeNs] = compare(
    () => {
      out.reset();
      encode(value, out);
    },
    () => v8.serialize(value),
  );
  const [decodeNs, deserializeNs] = compare(
    () => decode(bytes, 0, bytes.length),
    () => v8.deserialize(bytes),
  );
  const label = `${name}${encodesNatively(value) ? "" : " (by node:v8)"}`;
  const ratio = (ours, theirs) => `${(theirs / ours).toFixed(1)}x`.padStart(6);
  console.log(
    `${label.padEnd(30)}${us(encodeNs)}  ${us(serializeNs)} ${ratio(encodeNs, serializeNs)}  ${us(decodeNs)}  ${us(deserializeNs)} ${ratio(decodeNs, deserializeNs)}`,
  );
}
