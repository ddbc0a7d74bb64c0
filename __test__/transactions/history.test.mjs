// The checker of histories finds each anomaly that it is there for, and nothing where there is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../support/history/checker.mjs";

/** Transactions one after the other in real time, unless they say when they ran. */
function history(...transactions) {
  return transactions.map((transaction, number) => ({
    process: `p${number}`,
    status: "ok",
    invoked: number * 10,
    ended: number * 10 + 5,
    ...transaction,
  }));
}

const concurrent = { invoked: 0, ended: 1000 };
const read = (key, ...found) => ({ f: "read", key, found });
const append = (key, value) => ({ f: "append", key, value });
const scan = (prefix, ...found) => ({ f: "scan", prefix, found });
const insert = (key) => ({ f: "insert", key });

function finds(anomaly, ...transactions) {
  const anomalies = check(history(...transactions));
  assert.equal(anomalies.length > 0, true, "no anomaly was found");
  assert.match(anomalies[0], anomaly);
}

test("a serial history has no anomaly", () => {
  const serial = history(
    { steps: [read("a"), append("a", 1)] },
    { steps: [read("a", 1), append("a", 2), insert("s:1")] },
    { steps: [scan("s:", "s:1"), insert("s:2"), scan("s:", "s:1", "s:2")] },
    { steps: [read("a", 1, 2), scan("s:", "s:1", "s:2")] },
  );
  assert.deepEqual(check(serial), []);
});

test("concurrent transactions may take effect in any order", () => {
  const either = history(
    { ...concurrent, steps: [read("a", 2), append("a", 1)] },
    { ...concurrent, steps: [read("a"), append("a", 2)] },
    { ...concurrent, steps: [read("a", 2, 1)] },
    { ...concurrent, steps: [read("a")] },
  );
  assert.deepEqual(check(either), []);
});

test("a transaction of a killed process may have happened, or not", () => {
  const killed = { status: "unknown", invoked: 0, ended: undefined };
  const kept = history({ ...killed, steps: [append("a", 1)] }, { steps: [read("a", 1)] });
  const lost = history({ ...killed, steps: [append("a", 1)] }, { steps: [read("a")] });
  assert.deepEqual(check(kept), []);
  assert.deepEqual(check(lost), []);
});

test("a killed transaction that a reader saw stays", () => {
  const killed = { status: "unknown", invoked: 0, ended: undefined };
  finds(
    /real time/,
    { ...killed, steps: [append("a", 1)] },
    { steps: [read("a", 1)] },
    { steps: [read("a")] },
  );
});

test("a lost update is found", () => {
  finds(
    /^lost update/,
    { ...concurrent, steps: [read("a"), append("a", 1)] },
    { ...concurrent, steps: [read("a"), append("a", 2)] },
    { ...concurrent, steps: [read("a", 1, 2)] },
  );
});

test("a lost update is found when one of both is never seen", () => {
  finds(
    /^lost update/,
    { ...concurrent, steps: [read("a"), append("a", 1)] },
    { ...concurrent, steps: [read("a"), append("a", 2)] },
    { ...concurrent, steps: [read("a", 2)] },
  );
});

test("write skew is found", () => {
  finds(
    /^write skew/,
    { ...concurrent, steps: [read("a"), read("b"), append("b", 1)] },
    { ...concurrent, steps: [read("b"), read("a"), append("a", 2)] },
    { ...concurrent, steps: [read("a", 2), read("b", 1)] },
  );
});

test("read skew is found", () => {
  finds(
    /^lost update or read skew/,
    { ...concurrent, steps: [append("a", 1), append("b", 1)] },
    { ...concurrent, steps: [read("a"), read("b", 1)] },
    { ...concurrent, steps: [read("a", 1)] },
  );
});

test("a phantom is found", () => {
  finds(
    /^phantom/,
    { ...concurrent, steps: [scan("x:"), insert("y:1")] },
    { ...concurrent, steps: [scan("y:"), insert("x:1")] },
  );
});

test("a stale read is found", () => {
  finds(/real time/, { steps: [append("a", 1)] }, { steps: [read("a")] });
  finds(/real time/, { steps: [insert("s:1")] }, { steps: [scan("s:")] });
});

test("a lost write is found", () => {
  finds(/real time/, { steps: [append("a", 1)] }, { steps: [read("b")] }, { steps: [read("a")] });
});

test("an aborted read is found", () => {
  finds(/^aborted read/, { status: "failed", steps: [append("a", 1)] }, { steps: [read("a", 1)] });
  finds(
    /^aborted read/,
    { status: "failed", steps: [insert("s:1")] },
    { steps: [scan("s:", "s:1")] },
  );
});

test("an intermediate read is found", () => {
  finds(
    /^intermediate read/,
    { ...concurrent, steps: [append("a", 1), append("a", 2)] },
    { ...concurrent, steps: [read("a", 1)] },
  );
});

test("what no transaction wrote, appends out of order and duplicates are found", () => {
  finds(/^garbage read/, { steps: [read("a", 9)] });
  finds(
    /^lost or reordered append/,
    { ...concurrent, steps: [append("a", 1)] },
    { ...concurrent, steps: [append("a", 2)] },
    { ...concurrent, steps: [read("a", 1, 2)] },
    { ...concurrent, steps: [read("a", 2)] },
  );
  finds(/^duplicate/, { steps: [append("a", 1)] }, { steps: [read("a", 1, 1)] });
});

test("a transaction that does not see its own writes, or sees two states, is found", () => {
  finds(/^internal/, { steps: [read("a"), append("a", 1), read("a")] });
  finds(/^internal/, { steps: [insert("s:1"), scan("s:")] });
  finds(
    /^internal/,
    { ...concurrent, steps: [append("a", 1)] },
    { ...concurrent, steps: [read("a"), read("a", 1)] },
  );
});

test("the cycle is shown with those who take part in it and why", () => {
  const [text] = check(
    history(
      { ...concurrent, steps: [read("a"), append("a", 1)] },
      { ...concurrent, steps: [read("a"), append("a", 2)] },
      { ...concurrent, steps: [read("a", 1, 2)] },
    ),
  );
  assert.match(text, /T0 \(p0\) -> T1 \(p1\) {2}ww: 2 comes after 1 in a/);
  assert.match(text, /T1 \(p1\) -> T0 \(p0\) {2}rw: read a as \[\] before its append of 1/);
});
