// The worker under test: an object that counts.
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }

  async fetch() {
    const count = ((await this.storage.get("count")) ?? 0) + 1;
    await this.storage.put("count", count);
    return new Response(String(count));
  }
}

export default {
  fetch(request, env) {
    return env.COUNTER.get(env.COUNTER.idFromName("example")).fetch(request);
  },
};
