// Counts visits in an object of its own script, and greets with an object of the worker that is mounted as "api".
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
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const namespace = pathname === "/greeting" ? env.GREETER : env.COUNTER;
    return namespace.get(namespace.idFromName("example")).fetch(request);
  },
};
