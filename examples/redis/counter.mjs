// The worker of this example, and where its object is kept.
const script = `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }

  async fetch() {
    const count = await this.storage.transaction(async (txn) => {
      const next = ((await txn.get("count")) ?? 0) + 1;
      await txn.put("count", next);
      return next;
    });
    return new Response(String(count));
  }
}

export default {
  fetch(request, env) {
    return env.COUNTER.get(env.COUNTER.idFromName("example")).fetch(request);
  },
};`;

export function options(url) {
  return {
    modules: true,
    script,
    durableObjects: { COUNTER: "Counter" },
    durableObjectsPersist: url,
  };
}
