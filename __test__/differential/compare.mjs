/** Compares two sides on one program and sorts out the differences that are rows of COMPAT.md. */
import { divergences } from "./divergences.mjs";
import { stepAt } from "./predicates.mjs";

export const textOf = (record) => record && `${record.how}: ${record.text}`;

/** Runs the program on both sides; returns the operations answered differently, each with the row that explains it. */
export async function compare(program, reference, subject) {
  const [theirs, ours] = [await reference.run(program), await subject.run(program)];
  const byPath = (records) => new Map(records.map((record) => [record.path, record]));
  const [left, right] = [byPath(theirs), byPath(ours)];
  const differences = [];
  for (const path of new Set([...left.keys(), ...right.keys()])) {
    const sides = { reference: left.get(path), ours: right.get(path) };
    if (textOf(sides.reference) === textOf(sides.ours)) continue;
    const difference = { ...sides, program, path, step: stepAt(program, path), theirs };
    difference.named = consequenceOf(difference, differences) ?? (await nameOf(difference));
    differences.push(difference);
  }
  return differences;
}

async function nameOf(difference) {
  for (const { name, matches } of divergences) {
    if (await matches(difference)) return name;
  }
  return undefined;
}

const errorOf = (record) =>
  record?.how === "rejected" ? record.text.replace(/ after \d+ attempts$/, "") : undefined;

/** A transaction that ends with the error of one of its operations differs because that operation does. */
function consequenceOf({ path, reference, ours }, earlier) {
  if (reference?.call !== "transaction") return undefined;
  const cause = earlier.find(
    (inner) =>
      inner.path.startsWith(`${path}.`) &&
      errorOf(inner.reference) !== undefined &&
      errorOf(inner.reference) === errorOf(reference) &&
      errorOf(inner.ours) === errorOf(ours),
  );
  return cause?.named;
}

export const unexplained = (differences) => differences.filter(({ named }) => named === undefined);
