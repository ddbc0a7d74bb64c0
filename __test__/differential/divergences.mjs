/**
 * The differences from miniflare@2.14.4 that are meant. Each has the name of its row in COMPAT.md, and a predicate that
 * accepts as little as possible. A predicate gets `({program, path, step, reference, ours, theirs})`, with records as
 * interpret.mjs makes them.
 */
import {
  answered,
  endsAlike,
  failed,
  isAfterCaughtFailure,
  isEntries,
  isKey,
  isModel,
  isOvertaking,
  isTypeError,
  stepAt,
  uses,
  usesCall,
} from "./predicates.mjs";
import { build } from "./values.mjs";

/** The key under which the reference keeps the alarm among the program's own keys. */
const ALARM_KEY = "__MINIFLARE_ALARMS__";

const PUT_ARGUMENTS =
  /put\(\) may only be called with a single key-value pair and optional options as put\(key, value, options\) or with multiple key-value pairs and optional options as put\(entries, options\)/;
const KEY_ARGUMENT =
  /"(get|delete)\(\) takes a key, which is a string, or an array of keys, but it received /;
const ID_ARGUMENT =
  /on 'DurableObjectNamespace': parameter 1 is not of type '(string|DurableObjectId)'/;
const ALARM_TIME =
  /setAlarm\(\) cannot be called with an alarm time (<= 0|that is NaN|after 8640000000000000, )/;

const MODIFIED_KEYS = /Maximum number of keys modified in a transaction is 128\./;

/** A refusal in the same burst, before the operation in question. */
const isEarlierRefusal = ({ path, target, text }, difference) =>
  target === "txn" &&
  MODIFIED_KEYS.test(text) &&
  path.split(".").slice(0, -1).join() === difference.path.split(".").slice(0, -1).join() &&
  Number(path.split(".").at(-1)) < Number(difference.path.split(".").at(-1));

const withoutCode = (text) => text.replace(/, code "ERR_[A-Z_]+"/, "");
const withoutSurrogate = (text) => text.replaceAll("\\ud800", "\ufffd");
const hasSurrogate = ({ args }) => JSON.stringify(args ?? "").includes("\\ud800");

/** After an alarm time that ours refuses: the refusal itself, or an answer as if it had never been set. */
const isRefusedAlarm = async (difference) =>
  failed(difference.ours) ? isTypeError(difference.ours, ALARM_TIME) : isModel(difference);

/**
 * A transaction whose closure throws the error of a write that skips the output gate. The reference throws the error of
 * a later write instead, for which the gate waits.
 */
const isGateFailure = ({ program, path, reference, ours, theirs }) => {
  if (reference?.call !== "transaction" || !failed(ours)) return false;
  const inner = theirs.filter((record) => record.path.startsWith(`${path}.`) && failed(record));
  const own = inner.findIndex((record) => endsAlike(record, ours));
  return (
    own >= 0 &&
    skipsGate(stepAt(program, inner[own].path)) &&
    inner.slice(own + 1).some((record) => endsAlike(record, reference))
  );
};

const skipsGate = ({ args }) => args.some((given) => given?.allowUnconfirmed);

const predicates = {
  "error-codes": ({ reference, ours }) =>
    failed(reference) &&
    reference.how === ours?.how &&
    !reference.text.includes(", code ") &&
    ours.text.includes(', code "ERR_') &&
    withoutCode(ours.text) === reference.text,

  "startAfter-reverse": async (difference) => {
    const { step, reference } = difference;
    const { startAfter, reverse } = step?.args?.[0] ?? {};
    if (step?.call !== "list" || startAfter === undefined || !reverse) return false;
    return reference?.keys?.at(-1) === String(build(startAfter)) && isModel(difference);
  },

  "list-bounds": async (difference) => {
    const { step, reference } = difference;
    const options = step?.args?.[0] ?? {};
    if (step?.call !== "list") return false;
    if (options.prefix?.$ === "regexp") {
      return isTypeError(reference, /must not be a regular expression/) && isModel(difference);
    }
    if (options.start?.$ === "symbol") {
      return (
        reference?.keys?.length === 0 && isTypeError(difference.ours, /convert a Symbol value/)
      );
    }
    if (options.$ === "inherited") return isModel(difference);
    const reversed = options.reverse && options.reverse.$ !== "undefined";
    if (typeof options.startAfter !== "number" || reversed) return false;
    return reference?.keys?.[0] === String(options.startAfter) && isModel(difference);
  },

  "transaction-delete-duplicates": async (difference) => {
    const { step, reference, ours } = difference;
    if (step?.call !== "delete" || ours?.target !== "txn") return false;
    const [given] = step.args;
    const keys = [given?.$ === "reentrantKeys" ? given.keys : given]
      .flat()
      .map((key) => JSON.stringify(key));
    if (new Set(keys).size === keys.length) return false;
    return Number(reference?.text) > Number(ours.text) && isModel(difference);
  },

  "put-arguments": ({ step, reference, ours }) =>
    step?.call === "put" &&
    !isKey(step.args[0]) &&
    !isEntries(step.args[0]) &&
    !Array.isArray(step.args[0]) &&
    (answered(reference) || isTypeError(reference, /Cannot convert undefined or null to object/)) &&
    isTypeError(ours, PUT_ARGUMENTS),

  "put-array": async (difference) =>
    usesCall(difference, "put", ([entries]) => Array.isArray(entries)) &&
    (difference.step?.call !== "put" || isTypeError(difference.ours, PUT_ARGUMENTS)) &&
    isModel(difference),

  "key-not-a-string": ({ step, reference, ours }) =>
    (step?.call === "get" || step?.call === "delete") &&
    ![step.args[0]].flat().every(isKey) &&
    (answered(reference) || reference?.text.includes("ERR_INVALID_ARG_TYPE")) &&
    (answered(reference) || reference.how === ours?.how) &&
    isTypeError(ours, KEY_ARGUMENT),

  "id-arguments": ({ step, reference, ours }) =>
    ((step?.call === "idFromName" &&
      typeof step.args[0] !== "string" &&
      isTypeError(reference, /The \\"data\\" argument must be of type string/)) ||
      (step?.call === "get" && isTypeError(reference, /Symbol\(kObjectName\)/))) &&
    isTypeError(ours, ID_ARGUMENT),

  "list-null": async (difference) =>
    difference.step?.call === "list" &&
    difference.step.args[0] === null &&
    isTypeError(difference.reference, /Cannot read properties of null/) &&
    answered(difference.ours) &&
    isModel(difference),

  "lone-surrogates": (difference) =>
    uses(difference, hasSurrogate) &&
    difference.reference?.how === difference.ours?.how &&
    withoutSurrogate(difference.reference.text) === withoutSurrogate(difference.ours.text),

  "alarm-fraction": (difference) =>
    difference.reference?.call === "getAlarm" &&
    answered(difference.reference) &&
    usesCall(difference, "setAlarm", ([time]) => time % 1 !== 0) &&
    String(Math.floor(Number(difference.reference.text))) === difference.ours?.text,

  "alarm-time-zero": async (difference) =>
    usesCall(difference, "setAlarm", ([time]) => time <= 0 || time?.t <= 0) &&
    isRefusedAlarm(difference),

  "alarm-time-invalid": async (difference) =>
    usesCall(
      difference,
      "setAlarm",
      ([time]) =>
        time?.n === "NaN" ||
        time?.n === "Infinity" ||
        time?.of === "invalid date" ||
        time > 8.64e15 ||
        (time > 0 && time < 1),
    ) && isRefusedAlarm(difference),

  "alarm-key": async (difference) =>
    uses(difference, ({ args }) => args?.[0] === ALARM_KEY) && isModel(difference),

  "caught-failure-in-transaction": async (difference) =>
    (isGateFailure(difference) ||
      (uses(difference, ({ caught }) => caught) &&
        (difference.reference?.call === "transaction" || isAfterCaughtFailure(difference)))) &&
    isModel(difference),

  "refused-write-counts": async (difference) =>
    difference.reference?.target === "txn" &&
    MODIFIED_KEYS.test(difference.reference.text) &&
    difference.theirs.some((earlier) => isEarlierRefusal(earlier, difference)) &&
    answered(difference.ours) &&
    isModel(difference),

  "caught-failure-in-object": ({ program, path, reference, ours, theirs }) =>
    program.inside &&
    path === "fetch" &&
    ours?.text === "interpreted" &&
    theirs.some((record) => record.path !== path && endsAlike(record, reference)),

  "use-after-failure": ({ reference, ours, theirs }) =>
    ours?.target === "leaked" &&
    theirs.some(({ call, how }) => call === "transaction" && how === "rejected") &&
    !reference?.text.includes("on rolled back transaction") &&
    failed(ours) &&
    ours.text.endsWith(`"Cannot ${ours.call}() on rolled back transaction"`),

  "late-serialisation": async (difference) =>
    uses(difference, ({ mutated }) => mutated) &&
    answered(difference.reference) &&
    isModel(difference),

  "program-order": async (difference) =>
    uses(difference, isOvertaking) && answered(difference.reference) && isModel(difference),
};

export const divergences = Object.entries(predicates).map(([name, matches]) => ({ name, matches }));
