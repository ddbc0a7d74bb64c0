/**
 * Runs one program against an object's storage and namespaces and records what every operation answered: how
 * (returned, threw, resolved, rejected) and what. Steps:
 *
 *   {call, args, on?, as?}         an operation, awaited; `on` names the receiver (default: storage, in a transaction txn)
 *   {burst: [steps]}               operations begun one after the other in one turn, all awaited afterwards
 *   {transaction: [steps], end?}   a transaction; `end` is {return: value} or {throw: value}, `leak` keeps its handle
 *
 * A failed write ends the body of a transaction with its error, unless its step says `caught`. A step that says
 * `mutated` changes its last argument right after the call. Runs in Node and inside workers.
 */
import { describe, describeThrown } from "./describe.mjs";
import { build } from "./values.mjs";

const writes = new Set(["put", "delete", "setAlarm", "deleteAlarm"]);

/** Where a list of steps runs: the receivers it can name, and the one that a step without `on` means. */
class Scope {
  constructor(refs, home, txn) {
    this.refs = refs;
    this.home = home;
    this.txn = txn;
  }

  receiver(name) {
    return name === "txn" ? this.txn : this.refs[name];
  }
}

/** Calls an operation; the function it returns waits for the answer and gives the records and the error, if any. */
function beginCall(step, path, scope) {
  const target = step.on ?? scope.home;
  const record = { path, target, call: step.call };
  const answer = (how, text, value) => {
    Object.assign(record, { how, text });
    if (step.call === "list" && typeof value?.keys === "function") record.keys = [...value.keys()];
    if (step.as !== undefined) scope.refs[step.as] = value;
    return { records: [record] };
  };
  const failure = (how, reason) => {
    const ends = how === "rejected" && target === "txn" && writes.has(step.call) && !step.caught;
    return { ...answer(how, describeThrown(reason)), ...(ends && { failed: { reason } }) };
  };
  let outcome;
  try {
    const args = step.args.map((spec) => build(spec, scope.refs));
    outcome = scope.receiver(target)[step.call](...args);
    if (step.mutated && typeof args.at(-1) === "object") args.at(-1).mutated = true;
  } catch (reason) {
    return async () => failure("threw", reason);
  }
  if (typeof outcome?.then !== "function") {
    return async () => answer("returned", describe(outcome), outcome);
  }
  const settled = outcome.then(
    (value) => answer("resolved", describe(value), value),
    (reason) => failure("rejected", reason),
  );
  return () => settled;
}

async function runTransaction(step, path, scope) {
  let attempts = 0;
  let inside = [];
  const record = { path, target: "storage", call: "transaction" };
  try {
    const value = await scope.refs.storage.transaction(async (txn) => {
      attempts++;
      inside = [];
      if (step.leak) scope.refs.leaked = txn;
      const inner = new Scope(scope.refs, "txn", txn);
      await runSteps(step.transaction, (index) => `${path}.${index}`, inner, inside);
      if (step.end?.throw !== undefined) throw build(step.end.throw, scope.refs);
      return step.end?.return === undefined ? undefined : build(step.end.return, scope.refs);
    });
    Object.assign(record, { how: "resolved", text: describe(value) });
  } catch (error) {
    Object.assign(record, { how: "rejected", text: describeThrown(error) });
  }
  record.text += ` after ${attempts} attempts`;
  return { records: [...inside, record] };
}

function begin(step, path, scope) {
  if (step.transaction === undefined) return beginCall(step, path, scope);
  const settled = runTransaction(step, path, scope);
  return () => settled;
}

async function runTogether(steps, path, scope, records) {
  const waiting = steps.map((step, index) => begin(step, path(index), scope));
  let failed;
  for (const settle of waiting) {
    const outcome = await settle();
    records.push(...outcome.records);
    failed ??= outcome.failed;
  }
  if (failed !== undefined) throw failed.reason;
}

async function runSteps(steps, path, scope, records) {
  for (const [index, step] of steps.entries()) {
    const here = path(index);
    if (step.burst === undefined) await runTogether([step], () => here, scope, records);
    else await runTogether(step.burst, (inner) => `${here}.${inner}`, scope, records);
  }
}

/** `refs` names the receivers: storage, namespace, other. */
export async function interpret(program, refs) {
  const records = [];
  await runSteps(program.steps, String, new Scope({ ...refs }, "storage"), records);
  return records;
}
