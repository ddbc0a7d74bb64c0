/** Makes a program that shows an unexplained difference as small as it gets, and says what to print about it. */
import { compare, textOf, unexplained } from "./compare.mjs";
import { size } from "./generate.mjs";

const RUNS_MAX = 600;
const TEXT_MAX = 600;

const replaced = (steps, at, step) => steps.map((old, index) => (index === at ? step : old));

/** The steps with the inner steps of one of them changed. */
function* inside(steps, change) {
  for (const [at, step] of steps.entries()) {
    const part = step.burst ? "burst" : "transaction";
    for (const inner of step[part] ? change(step[part]) : []) {
      yield replaced(steps, at, { ...step, [part]: inner });
    }
  }
}

/** The steps without some of them; large cuts first. */
function* fewer(steps) {
  for (let cut = Math.ceil(steps.length / 2); cut >= 1; cut = Math.floor(cut / 2)) {
    for (let at = 0; at + cut <= steps.length; at += cut) {
      yield [...steps.slice(0, at), ...steps.slice(at + cut)];
    }
  }
  yield* inside(steps, fewer);
}

/** The steps with one put() made a put of a plain 0, or without options. */
function* simpler(steps) {
  for (const [at, step] of steps.entries()) {
    if (step.call !== "put" || typeof step.args[0] !== "string") continue;
    if (step.args.length > 2) yield replaced(steps, at, { ...step, args: step.args.slice(0, 2) });
    if (typeof step.args[1] === "object") {
      yield replaced(steps, at, { ...step, args: [step.args[0], 0], mutated: undefined });
    }
  }
  yield* inside(steps, simpler);
}

function* candidates(program) {
  if (program.inside) yield { ...program, inside: false };
  for (const steps of fewer(program.steps)) yield { ...program, steps };
  for (const steps of simpler(program.steps)) yield { ...program, steps };
}

/** What must stay the same while a program shrinks, or another difference would take the place of the one found. */
const kindOf = ({ reference, ours }) => {
  const { target, call } = reference ?? ours;
  return [target, call, reference?.how, ours?.how].join();
};

/** Delta-debugs a program down to one from which nothing can be taken without losing the unexplained difference. */
export async function shrink(program, reference, subject) {
  const kindsOf = async (candidate) =>
    unexplained(await compare(candidate, reference, subject)).map(kindOf);
  const [kind] = await kindsOf(program);
  let runs = 0;
  const fails = async (candidate) =>
    ++runs <= RUNS_MAX && (await kindsOf(candidate)).includes(kind);
  let best = program;
  for (let found = true; found; ) {
    found = false;
    for (const candidate of candidates(best)) {
      if (!(await fails(candidate))) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}

const short = (record) => (textOf(record) ?? "no answer").slice(0, TEXT_MAX);

/** Every operation of a program with its answer, or with both answers where they differ. */
async function transcript(program, reference, subject) {
  const [theirs, ours] = [await reference.run(program), await subject.run(program)];
  const found = await compare(program, reference, subject);
  const paths = new Set([...theirs, ...ours].map(({ path }) => path));
  return [...paths].flatMap((path) => {
    const [left, right] = [theirs, ours].map((side) => side.find((record) => record.path === path));
    const difference = found.find((one) => one.path === path);
    const title = `${path}: ${(left ?? right).target}.${(left ?? right).call}()`;
    if (difference === undefined) return [`${title} ${short(left)}`];
    return [
      `${title} ${difference.named ? `differs as in COMPAT.md, ${difference.named}` : "DIFFERS"}`,
      `    ${reference.name}: ${short(left)}`,
      `    ${subject.name}: ${short(right)}`,
    ];
  });
}

/** The seed, the least program and both transcripts. */
export async function report({ seed, index, program }, reference, subject) {
  const [first] = unexplained(await compare(program, reference, subject));
  const hangs = first === undefined || first.path === "hang";
  const least = hangs ? program : await shrink(program, reference, subject);
  return [
    `seed ${seed}, program ${index}, repeat with FERROFLARE_SEED=${seed};`,
    `least program (${size(least.steps)} operations):`,
    JSON.stringify(least),
    ...(await transcript(least, reference, subject)),
  ].join("\n");
}
