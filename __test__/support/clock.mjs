// A clock that stands still until it is told to move, in the place of Date.now() and the global timers.

const real = { setTimeout, clearTimeout, now: Date.now };

export class Clock {
  timers = [];

  constructor(now = 1_700_000_000_000) {
    this.now = now;
  }

  install() {
    Date.now = () => this.now;
    globalThis.setTimeout = (run, delay = 0, ...args) => {
      const timer = {
        at: this.now + delay,
        delay,
        refed: true,
        run: () => run(...args),
        ref() {
          this.refed = true;
          return this;
        },
        unref() {
          this.refed = false;
          return this;
        },
      };
      this.timers.push(timer);
      return timer;
    };
    globalThis.clearTimeout = (timer) => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
    return this;
  }

  uninstall() {
    Date.now = real.now;
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
  }

  /** Moves the clock and fires what falls due on the way, in order. */
  async advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const [next] = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.now = Math.max(this.now, next.at);
      this.timers = this.timers.filter((other) => other !== next);
      next.run();
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    }
    this.now = end;
  }
}
