/** Draws operations on namespaces and ids: made, parsed, compared and used, good and bad. */

const undefinedValue = { $: "undefined" };
const names = [
  "",
  "test",
  "é",
  "😀",
  "\ud800",
  "\0",
  "a".repeat(3000),
  5,
  null,
  undefinedValue,
  true,
];
const digits = ["", "00", "g".repeat(64), "0".repeat(64), "0".repeat(65), 5, null];
const jurisdictions = ["eu", "fedramp", undefinedValue, "us", "EU", null];
const uniqueOptions = [
  [],
  [{}],
  ...["eu", "fedramp", "us", "", 5, null].map((jurisdiction) => [{ jurisdiction }]),
];

/** One id made, another named `id`, and uses of that. */
export function ids(random) {
  const on = random.pick(["namespace", "namespace", "other"]);
  const made = random.weighted([
    [5, { call: "idFromName", args: [random.pick(names)] }],
    [3, { call: "newUniqueId", args: random.pick(uniqueOptions) }],
    [1, { call: "jurisdiction", args: [random.pick(jurisdictions)] }],
    [3, { call: "idFromString", args: [random.pick(digits)] }],
  ]);
  const seed = { call: "idFromName", args: [random.pick(["x", "y"])], on, as: "id" };
  const hex = { $: "hex", of: "id", upper: random.chance(0.3) };
  const uses = [
    { call: "idFromString", args: [hex], on: random.pick(["namespace", "other"]), as: "same" },
    { call: "equals", args: [{ $: "ref", name: "same" }], on: "id" },
    { call: "equals", args: [random.pick([null, {}, hex, { $: "ref", name: "id" }])], on: "id" },
    { call: "toString", args: [], on: "id" },
    { call: "get", args: [{ $: "ref", name: "id" }], on: random.pick(["namespace", "other"]) },
    { call: "get", args: [random.pick([{}, "x", 5])], on: "namespace" },
  ];
  return [{ ...made, on }, seed, ...random.many(1, 3, () => random.pick(uses))];
}
