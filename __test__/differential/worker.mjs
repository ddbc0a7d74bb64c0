/** The worker of the differential test: two object classes, with and without alarm(), that interpret programs. */

import { withDefect } from "./defects.mjs";
import { interpret } from "./interpret.mjs";

class Interpreting {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  /** The transcript is kept for a second request, because a failed write makes the reference's first response an error. */
  async fetch(request) {
    if (new URL(request.url).pathname === "/records") {
      return new Response(JSON.stringify(this.records ?? null));
    }
    const { program, defect } = await request.json();
    this.records = undefined;
    this.records = await interpret(program, {
      storage: withDefect(this.state.storage, defect),
      namespace: this.env.ALARMED,
      other: this.env.OTHER,
    });
    return new Response("interpreted");
  }
}

export class Alarmed extends Interpreting {
  alarm() {}
}

export class Plain extends Interpreting {}

export default {
  fetch() {
    return new Response("the objects are asked directly");
  },
};
