// The worker of the examples: its object runs functions of the test in requests of their own, here and in workerd.

/** What a function of an example can use beside its object's storage; a text, because it runs in the worker. */
const TOOLS = `
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** A value in JSON, in words where JSON has none. */
function show(value) {
  if (value === undefined) return "<undefined>";
  if (typeof value === "bigint") return "<" + value + "n>";
  if (typeof value === "number" && (Object.is(value, -0) || !Number.isFinite(value))) return Object.is(value, -0) ? "<-0>" : "<" + value + ">";
  if (typeof value === "function") return "<function>";
  if (value === null || typeof value !== "object") return value;
  if (value instanceof ArrayBuffer) return "<" + Array.from(new Uint8Array(value), (byte) => byte.toString(16).padStart(2, "0")).join(" ") + ">";
  if (value instanceof Date) return "<date " + value.getTime() + ">";
  if (value instanceof Map) return ["<map>", ...[...value].map((pair) => pair.map(show))];
  if (value instanceof Set) return ["<set>", ...[...value].map(show)];
  if (ArrayBuffer.isView(value)) return value.constructor.name + " " + [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  if (Array.isArray(value)) return value.map(show);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, show(part)]));
}
const told = (error) => (error instanceof Error || error instanceof DOMException) ? error.constructor.name + ": " + error.message.replace(/reference = [a-z0-9]+/, "reference") : "thrown " + String(error);
/** What a call gives, or the kind and the text of what it throws. */
function attempt(run) {
  try {
    return run();
  } catch (error) {
    return told(error);
  }
}
async function attemptLater(run) {
  try {
    return await run();
  } catch (error) {
    return told(error);
  }
}
`;

const OBJECT = `
class Base extends DurableObject {
  alarms = [];
  tools() {
    const { ctx, env } = this;
    const { storage } = ctx;
    const { sql, kv } = storage;
    /** The rows of a query; the values of its only column. */
    const rows = (text, ...bindings) => sql.exec(text, ...bindings).toArray();
    const values = (text, ...bindings) => [...sql.exec(text, ...bindings).raw()].map(([value]) => value);
    return { object: this, ctx, env, storage, sql, kv, rows, values, attempt, attemptLater, sleep, told };
  }
  async alarm(info) {
    this.alarms.push(info);
    const { onAlarm } = this;
    this.onAlarm = undefined;
    await onAlarm?.(info);
  }
}
const failed = (error) => ({ failed: told(error), reset: error.durableObjectReset === true });
`;

const head = `import { DurableObject } from "cloudflare:workers";\n${TOOLS}\n${OBJECT}`;

/** A worker with the functions in it, which are run in order by requests to one object. */
export function scriptOf(functions) {
  return `${head}
const functions = [${functions.map(String).join(",\n")}];
export class Store extends Base {
  async run(at) { return show(await functions[at](this.tools())); }
}
export class Plain extends Store {}
export default {
  async fetch(request, env) {
    const results = [];
    for (let at = 0; at < functions.length; at++) {
      try {
        results.push(await env.STORE.getByName("example").run(at));
      } catch (error) {
        results.push(failed(error));
      }
    }
    return Response.json(results);
  },
};`;
}

/** A worker that is told the functions in its request, for workerd alone. */
export const evaluating = `${head}
export class Store extends Base {
  async run(text) { return show(await this.env.EVAL.eval("(" + text + ")")(this.tools())); }
}
export default {
  async fetch(request, env) {
    const { name, functions } = await request.json();
    const results = [];
    for (const text of functions) {
      try {
        results.push(await env.STORE.getByName(name).run(text));
      } catch (error) {
        results.push(failed(error));
      }
    }
    return Response.json(results);
  },
};`;
