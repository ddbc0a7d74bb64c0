/**
 * A reporter for Node.js's test runner: one JSON line a finished test, `{ path, file, outcome }`. `path` is its name
 * after those of the tests and suites around it. `outcome` is `passed`, `failed`, `skipped` or `todo`. Suites are left
 * out.
 */
export default async function* reporter(events) {
  const names = [];
  for await (const { type, data } of events) {
    if (type === "test:start") {
      names.length = data.nesting;
      names.push(data.name);
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    names.length = data.nesting;
    if (data.details?.type === "suite") continue;
    const path = [...names, data.name];
    yield `${JSON.stringify({ path, file: data.file, outcome: outcomeOf(type, data) })}\n`;
  }
}

function outcomeOf(type, data) {
  if (data.skip !== undefined) return "skipped";
  if (data.todo !== undefined) return "todo";
  return type === "test:pass" ? "passed" : "failed";
}
