// One tortured process: works until it is killed or told to end (`work`), or looks at what is there (`verify`).

import { random } from "../support/random.mjs";
import { orders, say } from "../support/report.mjs";
import { checkShared, lanesOf } from "./lanes.mjs";
import { miniflare, objects } from "./object.mjs";
import { PLACES } from "./places.mjs";

const order = orders();

if (order.role === "work") await work();
else await verify();

async function work() {
  const users = await Promise.all(order.users.map(start));
  say("open");
  await new Promise((resolve) => setTimeout(resolve, order.workMs));
  await Promise.all(users.map((user) => user.end()));
  say("disposing");
  await Promise.all(users.map((user) => user.dispose()));
  say("disposed");
}

/** Starts the lanes of one slot, on one copy of the package: this one, or the one in the directory `copy`. */
async function start({ slot, seed, copy }) {
  const mf = await miniflare(order.directory, order.durability, copy);
  const context = { objects: await objects(mf), slot, random: random(seed), state: {} };
  let working = true;
  const lanes = Object.entries(lanesOf(order.backend)).map(async ([name, lane]) => {
    let stamp = order.firstStamp;
    const under = new Set();
    const one = async (number) => {
      say(`issued ${slot} ${name} ${number}`);
      try {
        const value = await lane.run(context, number);
        say(`acknowledged ${slot} ${name} ${number} ${value ?? number}`);
      } catch (error) {
        // An operation that a broken server has not answered may or may not have been carried out.
        delete context.state[name];
        if (working && !order.faulty)
          say(`failed ${slot} ${name} ${number} ${String(error.stack).replaceAll("\n", " | ")}`);
        // An error that comes at once would never let the timer end this.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    while (working) {
      const running = one(stamp++).finally(() => under.delete(running));
      under.add(running);
      if (under.size >= lane.depth) await Promise.race(under);
    }
    await Promise.all(under);
  });
  return {
    async end() {
      working = false;
      if (order.drain) await Promise.all(lanes);
    },
    dispose: () => mf.dispose(),
  };
}

async function verify() {
  const { seen } = order;
  const mf = await miniflare(order.directory, order.durability);
  const markers = () => PLACES[order.backend].markers(order.directory);
  const reached = await objects(mf);
  for (const { slot, lane, ...record } of seen) {
    const context = { objects: reached, slot, markers };
    const problem = await lanesOf(order.backend)
      [lane].check(context, record)
      .catch((error) => error.stack);
    if (problem) say(`problem ${lane} of slot ${slot}: ${problem.replaceAll("\n", " | ")}`);
  }
  const problem = await checkShared({ objects: reached }).catch((error) => error.stack);
  if (problem) say(`problem ${problem.replaceAll("\n", " | ")}`);
  await mf.dispose();
  say("verified");
}
