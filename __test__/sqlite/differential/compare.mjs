// Compares what a program gives on two sides, step by step.
import { divergences } from "./divergences.mjs";

const NESTED = ["sync", "transaction", "block", "alarm"];

/** Every step of a request beside both answers; a nested step has its inner steps' answers in its own. */
function* pairs(steps, ours, theirs) {
  for (const [i, step] of steps.entries()) yield { step, ours: ours?.[i], theirs: theirs?.[i] };
}

/** The parts of the answer to a nested step that belong to its inner steps. Each step around it adds a dot to its key. */
function inner(answer) {
  const holder = Array.isArray(answer) ? Object(answer[0]) : {};
  const key = Object.keys(holder).find((name) => /^\.+inner$/.test(name));
  return holder[key];
}

function* differing(steps, ours, theirs) {
  for (const pair of pairs(steps, ours, theirs)) {
    if (JSON.stringify(pair.ours) === JSON.stringify(pair.theirs)) continue;
    const [here, there] = [inner(pair.ours), inner(pair.theirs)];
    const within = NESTED.includes(pair.step[0]) && here !== undefined && there !== undefined;
    const parts = within ? [...differing(pair.step[1], here, there)] : [];
    yield* parts.length > 0 ? parts : [pair];
  }
}

/** What is different in a program: `{ step, ours, theirs }` each, with the whole requests where one side has failed. */
export async function differences(program, ours, theirs) {
  const [here, there] = await Promise.all([ours.run(program), theirs.run(program)]);
  return program.requests.flatMap((steps, i) => {
    const [mine, other] = [here[i], there[i]];
    if (JSON.stringify(mine) === JSON.stringify(other)) return [];
    if (!Array.isArray(mine) || !Array.isArray(other))
      return [{ step: ["request", steps], ours: mine, theirs: other }];
    const found = [
      ...differing(program.start, mine[0], other[0]),
      ...differing(steps, mine[1], other[1]),
    ];
    return found.length > 0 ? found : [{ step: ["request", steps], ours: mine, theirs: other }];
  });
}

/** What explains a difference, if a row of COMPAT.md does. */
export function explanation(difference) {
  return divergences.find(({ explains }) => explains(difference));
}

/** What is different in a program, and which of it no row explains; what comes after one that a row explains may follow. */
export async function compare(program, ours, theirs) {
  const [explained, unexplained] = [[], []];
  for (const difference of await differences(program, ours, theirs)) {
    const found = explanation(difference);
    (found === undefined ? unexplained : explained).push(difference);
    if (found !== undefined && !found.isHarmless) break;
  }
  return { explained, unexplained };
}

/** What no row explains. */
export async function unexplained(program, ours, theirs) {
  return (await compare(program, ours, theirs)).unexplained;
}
