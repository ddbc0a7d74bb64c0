/** What a program has left behind in an object: its entries and its alarm, as records like the program's own. */
import { interpret } from "./interpret.mjs";

const steps = [
  { call: "list", args: [] },
  { call: "getAlarm", args: [] },
];

export async function look(storage) {
  const records = await interpret({ steps }, { storage });
  return records.map((record) => ({ ...record, path: `left behind, ${record.call}` }));
}
