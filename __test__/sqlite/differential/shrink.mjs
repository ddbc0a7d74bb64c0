// Makes a program that shows an unexplained difference as small as it gets, and says what to print about it.
import { unexplained } from "./compare.mjs";

const RUNS_MAX = 400;
const TEXT_MAX = 700;
const NESTED = ["sync", "transaction", "block", "alarm"];

/** A list without some of its members; large cuts first. */
function* fewer(list) {
  for (let cut = Math.ceil(list.length / 2); cut >= 1; cut = Math.floor(cut / 2)) {
    for (let at = 0; at + cut <= list.length; at += cut) {
      yield [...list.slice(0, at), ...list.slice(at + cut)];
    }
  }
}

const replaced = (list, at, ...members) => [
  ...list.slice(0, at),
  ...members,
  ...list.slice(at + 1),
];

/** Steps with fewer of them, or with a nested step made smaller or replaced by what is in it. */
function* smaller(steps) {
  yield* fewer(steps);
  for (const [at, step] of steps.entries()) {
    if (!NESTED.includes(step[0])) continue;
    yield replaced(steps, at, ...step[1]);
    for (const inner of smaller(step[1]))
      yield replaced(steps, at, [step[0], inner, ...step.slice(2)]);
  }
}

function* candidates({ start, requests }) {
  for (const part of fewer(requests)) yield { start, requests: part };
  if (requests.length > 1) yield { start, requests: [requests.flat()] };
  for (const part of smaller(start)) yield { start: part, requests };
  for (const [at, steps] of requests.entries()) {
    for (const part of smaller(steps)) yield { start, requests: replaced(requests, at, part) };
  }
}

/** What must stay the same while a program shrinks, or another difference would take the place of the one found. */
const kindOf = ({ step, ours, theirs }) => {
  const failed = (answer) => JSON.stringify(answer)?.includes('error":') ?? "missing";
  return [step[0], failed(ours), failed(theirs)].join();
};

/** A program from which nothing can be taken without losing the difference. */
export async function shrink(program, ours, theirs) {
  const kindsOf = async (candidate) => (await unexplained(candidate, ours, theirs)).map(kindOf);
  const [kind] = await kindsOf(program);
  let runs = 0;
  let best = program;
  for (let found = true; found; ) {
    found = false;
    for (const candidate of candidates(best)) {
      if (++runs > RUNS_MAX) return best;
      if (!(await kindsOf(candidate)).includes(kind)) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}

const short = (answer) => (JSON.stringify(answer) ?? "no answer").slice(0, TEXT_MAX);

/** The seed, the least program, and what is different in it. */
export async function report({ seed, index, program }, ours, theirs) {
  const least = await shrink(program, ours, theirs);
  const found = await unexplained(least, ours, theirs);
  return [
    `Program ${index} of FERROFLARE_SEED=${seed}; the least one that differs:`,
    JSON.stringify(least),
    ...found.flatMap((difference) => [
      JSON.stringify(difference.step).slice(0, TEXT_MAX),
      `  ${ours.name}: ${short(difference.ours)}`,
      `  ${theirs.name}: ${short(difference.theirs)}`,
    ]),
  ].join("\n");
}
