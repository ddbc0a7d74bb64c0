/** What the predicates of divergences.mjs ask about a difference: its records, its program, and the model's answer. */
import { withoutRealms } from "./describe.mjs";
import { interpret } from "./interpret.mjs";
import { look } from "./look.mjs";
import { ModelStorage } from "./model.mjs";

export const failed = (record) => record?.how === "threw" || record?.how === "rejected";
export const answered = (record) => record?.how === "resolved" || record?.how === "returned";

export const isTypeError = (record, message) =>
  failed(record) &&
  withoutRealms(record.text).startsWith('TypeError "TypeError": ') &&
  message.test(record.text);

/** True if both failed with the same error, but for the realm and how often a transaction was attempted. */
export function endsAlike(record, other) {
  const text = withoutRealms(record.text).replace(/ after \d+ attempts$/, "");
  return failed(record) && failed(other) && withoutRealms(other.text).startsWith(text);
}

const isPlainObject = (spec) =>
  typeof spec === "object" && spec !== null && !Array.isArray(spec) && !spec.$;

/** Whether the specification of an argument is that of a key, or of entries. */
export const isKey = (spec) =>
  typeof spec === "string" || spec?.$ === "repeat" || spec?.$ === "undefined";
export const isEntries = (spec) => ["object", "entries"].includes(spec?.$) || isPlainObject(spec);

/** The step of a program at a path such as "3" or "3.1". */
export function stepAt(program, path) {
  let steps = program.steps;
  let step;
  for (const index of path.split(".")) {
    step = steps?.[Number(index)];
    steps = step?.burst ?? step?.transaction;
  }
  return step;
}

/** Every step of the program that began before the one at `path` had ended. */
function* stepsUntil(program, path) {
  const last = Number.parseInt(path, 10);
  for (const [index, step] of program.steps.entries()) {
    if (!(index > last)) yield* flatten(step);
  }
}

function* flatten(step) {
  yield step;
  for (const inner of step.burst ?? step.transaction ?? []) yield* flatten(inner);
}

export const uses = ({ program, path }, wanted) => [...stepsUntil(program, path)].some(wanted);

export const usesCall = (difference, wanted, accepts) =>
  uses(difference, ({ call, args }) => call === wanted && accepts(args));

/**
 * Whether the reference has failed a transaction before, because one of its operations failed and was caught. What its
 * other operations have written is then missing in the reference.
 */
export function isAfterCaughtFailure({ program, path, theirs }) {
  const first = (place) => Number.parseInt(place, 10);
  return theirs.some(
    (earlier) =>
      earlier.call === "transaction" &&
      earlier.how === "rejected" &&
      !(first(earlier.path) > first(path)) &&
      [...flatten(program.steps[first(earlier.path)])].some(({ caught }) => caught),
  );
}

/**
 * True if the model, which runs the same program one operation after the other, gives our answer. So a predicate that
 * asks for it cannot hide a mistake of ours that the model does not make.
 */
export async function isModel({ program, path, ours }) {
  const started = program.inside && program.object === "PLAIN";
  const storage = new ModelStorage({ alarms: !started });
  const records = await interpret(program, { storage, namespace: {}, other: {} });
  records.push(...(await look(storage)));
  const model = records.find((record) => record.path === path);
  if (model === undefined || ours === undefined || failed(model) !== failed(ours)) return false;
  return failed(model) || withoutRealms(model.text) === withoutRealms(ours.text);
}

/**
 * A burst in which the reference lets a later operation overtake. A write follows a read or deleteAll(), or the alarm
 * is set beside deleteAll(). Or allowConcurrency makes an operation skip the turn that it takes to close the gate.
 */
export function isOvertaking({ burst }) {
  if (burst === undefined) return false;
  if (burst.some(({ args }) => args?.some((arg) => arg?.allowConcurrency))) return true;
  const calls = burst.map(({ call }) => call);
  if (calls.includes("setAlarm") && calls.includes("deleteAll")) return true;
  const slow = ["get", "list", "getAlarm", "deleteAll"];
  const writes = ["put", "delete", "deleteAll", "setAlarm", "deleteAlarm"];
  const first = calls.findIndex((call) => slow.includes(call));
  return first !== -1 && calls.slice(first + 1).some((call) => writes.includes(call));
}
