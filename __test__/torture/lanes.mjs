// What a tortured process does: each lane is a stream of numbered operations, issued in order and acknowledged in order.
//
// A lane knows how to do operation `stamp`, and what must be stored afterwards. That is the state after one operation,
// as a whole: the last acknowledged one, or one that was issued after it.

import { ALARM_BASE_MS } from "./object.mjs";

export { ALARM_BASE_MS };
export const ACCOUNTS = 8;
export const ACCOUNT_START = 100;
const BATCH_KEYS = 6;
const account = (number) => `account:${number}`;
const range = (count, name) => Array.from({ length: count }, (_, place) => name(place));
const filling = (random) => "x".repeat(random.between(0, 2000));

/** Lane name -> `{ depth, run(context, stamp), check(context, seen) }`; `depth` operations are under way at once. */
export const LANES = {
  /** Multi-key puts: one stamp in all keys. */
  batch: {
    depth: 3,
    async run({ objects, slot, random }, stamp) {
      const storage = await objects.storage("batch");
      const fill = filling(random);
      const keys = range(BATCH_KEYS, (place) => `b:${slot}:${place}`);
      await storage.put(Object.fromEntries(keys.map((key) => [key, { stamp, fill }])));
    },
    async check({ objects, slot }, seen) {
      const storage = await objects.storage("batch");
      const found = await storage.list({ prefix: `b:${slot}:` });
      const stamps = [...found.values()].map((value) => value.stamp);
      return oneStamp(stamps, stamps.length === 0 || stamps.length === BATCH_KEYS, seen);
    },
  },

  /** Writes of one turn that are not awaited, from outside: put, put, delete, put. */
  turn: {
    depth: 1,
    async run({ objects, slot, state }, stamp) {
      const storage = await objects.storage("turn");
      state.turn ??= await lastStamp(storage, `t:${slot}:c:`);
      await Promise.all([
        storage.put(`t:${slot}:a`, stamp),
        storage.put(`t:${slot}:b`, stamp),
        storage.delete(`t:${slot}:c:${state.turn}`),
        storage.put(`t:${slot}:c:${stamp}`, stamp),
      ]);
      state.turn = stamp;
    },
    check: ({ objects, slot }, seen) => checkTurn(objects, "turn", slot, seen),
  },

  /** The same inside an object, acknowledged by its response. */
  inside: {
    depth: 1,
    async run({ objects, slot, state }, stamp) {
      state.inside ??= await lastStamp(await objects.storage("inside"), `t:${slot}:c:`);
      await objects.ask("inside", `/turn?slot=${slot}&stamp=${stamp}&old=${state.inside}`);
      state.inside = stamp;
    },
    check: ({ objects, slot }, seen) => checkTurn(objects, "inside", slot, seen),
  },

  /** Transfers between accounts, each with an entry in the books. */
  bank: {
    depth: 4,
    async run({ objects, slot, random }, stamp) {
      const storage = await objects.storage("bank");
      const from = random.between(0, ACCOUNTS - 1);
      const to = (from + random.between(1, ACCOUNTS - 1)) % ACCOUNTS;
      const amount = random.between(1, 20);
      await storage.transaction(async (txn) => {
        const balances = await txn.get([account(from), account(to)]);
        await txn.put({
          [account(from)]: (balances.get(account(from)) ?? ACCOUNT_START) - amount,
          [account(to)]: (balances.get(account(to)) ?? ACCOUNT_START) + amount,
          [`books:${slot}:${stamp}`]: [from, to, amount],
        });
      });
    },
    /** Whether the acknowledged transfers of this slot are in the books; the sums are for all slots: `checkBank`. */
    async check({ objects, slot }, seen) {
      const storage = await objects.storage("bank");
      const missing = [];
      for (const stamp of seen.acknowledged) {
        if (!(await storage.get(`books:${slot}:${stamp}`))) missing.push(stamp);
      }
      return missing.length > 0 ? `transfers ${missing.join(", ")} are lost` : undefined;
    },
  },

  /** Counters inside an object, one for each slot and one for all. */
  count: {
    depth: 2,
    async run({ objects, slot, state }, _stamp) {
      const count = Number(await objects.ask("count", `/count?slot=${slot}`));
      state.counted = Math.max(state.counted ?? 0, count);
      return count;
    },
    async check({ objects, slot }, seen) {
      const storage = await objects.storage("count");
      const mine = (await storage.get(`mine:${slot}`)) ?? 0;
      const known = Math.max(0, ...seen.values);
      return mine < known ? `the counter is ${mine}, but ${known} was acknowledged` : undefined;
    },
  },

  /** Messages to a WebSocket, each answered by one after writes that are not awaited. What is received is acknowledged. */
  socket: {
    depth: 3,
    async run({ objects, slot, state }, stamp) {
      if (state.socket === undefined || state.socket.closed) {
        state.connecting ??= objects.connect("socket", `/socket?slot=${slot}`);
        state.socket = await state.connecting.finally(() => {
          state.connecting = undefined;
        });
      }
      return state.socket.ask(String(stamp));
    },
    async check({ objects, slot }, seen) {
      const storage = await objects.storage("socket");
      const heard = (await storage.get(`heard:${slot}`)) ?? 0;
      const known = Math.max(0, ...seen.values);
      if (heard < known) return `${heard} messages were heard, but ${known} were acknowledged`;
      if (new Set(seen.values).size < seen.values.length) return "two messages had one count";
      const stamps = [...(await storage.list({ prefix: `w:${slot}:` })).values()];
      return oneStamp(stamps, stamps.length === 0 || stamps.length === 2, seen);
    },
  },

  /** One alarm after the other, now and then none. */
  alarm: {
    depth: 2,
    async run({ objects, slot }, stamp) {
      const storage = await objects.storage(`alarm-${slot}`);
      await (stamp % 5 === 0 ? storage.deleteAlarm() : storage.setAlarm(ALARM_BASE_MS + stamp));
    },
    async check({ objects, slot, markers }, seen) {
      const name = `alarm-${slot}`;
      const alarm = await (await objects.storage(name)).getAlarm();
      if (alarm !== null && !(await markers()).includes(`${alarm}.TORTURE.${objects.id(name)}`)) {
        return `no process will find the alarm at ${alarm}`;
      }
      const stamp = alarm === null ? 0 : alarm - ALARM_BASE_MS;
      const valid = possible(seen, (at) => at === stamp || (stamp === 0 && at % 5 === 0));
      return valid ? undefined : `the alarm is ${stamp}, not ${shown(seen)}`;
    },
  },

  /** Everything deleted and, three times of four, written again in the same turn. */
  clear: {
    depth: 2,
    async run({ objects, slot }, stamp) {
      const storage = await objects.storage(`clear-${slot}`);
      const writes = [storage.deleteAll()];
      if (stamp % 4 !== 0) {
        writes.push(storage.put(`d:${stamp}`, stamp));
        writes.push(storage.put({ first: stamp, last: stamp }));
      }
      await Promise.all(writes);
    },
    async check({ objects, slot }, seen) {
      const storage = await objects.storage(`clear-${slot}`);
      const stamps = [...(await storage.list()).values()];
      if (stamps.length === 0) {
        return possible(seen, (at) => at % 4 === 0)
          ? undefined
          : `it is empty after ${shown(seen)}`;
      }
      return oneStamp(stamps, stamps.length === 3, seen);
    },
  },

  /** A new object for each operation. */
  fresh: {
    depth: 2,
    async run({ objects, slot }, stamp) {
      const storage = await objects.storage(`fresh-${slot}-${stamp}`);
      await storage.put({ first: stamp, last: stamp });
    },
    async check({ objects, slot }, seen) {
      for (const stamp of seen.issued) {
        const stamps = [
          ...(await (await objects.storage(`fresh-${slot}-${stamp}`)).list()).values(),
        ];
        const wrong =
          (stamps.length === 0 && seen.acknowledged.includes(stamp) && "it is lost") ||
          (stamps.length !== 0 &&
            (stamps.length !== 2 || stamps.some((value) => value !== stamp)) &&
            `it holds ${stamps.join(", ")}`);
        if (wrong) return `object ${stamp}: ${wrong}`;
      }
      return undefined;
    },
  },
};

/** Lanes of objects with SQL, which only files have. */
export const SQL_LANES = {
  /** Rows, keys and the alarm of one object, in one turn or in a transaction of a kind. */
  sql: {
    depth: 1,
    async run({ objects, slot, random }, stamp) {
      const how = random.pick(["write", "sync", "transaction"]);
      await objects.askSql(`sql-${slot}`, `/${how}?stamp=${stamp}&fill=${random.between(0, 3000)}`);
    },
    check: ({ objects, slot }, seen) => checkSql(objects, `sql-${slot}`, seen),
  },

  /** Everything deleted and, three times of four, written again in the next call. */
  sqlclear: {
    depth: 1,
    async run({ objects, slot }, stamp) {
      const name = `sqlclear-${slot}`;
      await objects.askSql(name, stamp % 4 === 0 ? "/clear" : `/write?stamp=${stamp}&fill=10`);
    },
    async check({ objects, slot }, seen) {
      const stamps = await objects.askSql(`sqlclear-${slot}`, "/look");
      const deleted = stamps.every((stamp) => stamp === 0);
      if (deleted && possible(seen, (at) => at % 4 === 0)) return undefined;
      return oneStamp(stamps, !deleted || seen.acknowledged.length === 0, seen);
    },
  },

  /** A new object for each operation. */
  sqlfresh: {
    depth: 2,
    async run({ objects, slot }, stamp) {
      await objects.askSql(`sqlfresh-${slot}-${stamp}`, `/write?stamp=${stamp}&fill=10`);
    },
    async check({ objects, slot }, seen) {
      for (const stamp of seen.issued) {
        const stamps = await objects.askSql(`sqlfresh-${slot}-${stamp}`, "/look");
        const isThere = stamps.every((one) => one === stamp);
        const isGone = stamps.every((one) => one === 0);
        if (isGone && seen.acknowledged.includes(stamp)) return `object ${stamp} is lost`;
        if (!isThere && !isGone) return `object ${stamp} holds ${stamps.join(", ")}`;
      }
      return undefined;
    },
  },
};

/** The lanes of a backend, by their names. */
export const lanesOf = (backend) => (backend === "file" ? { ...LANES, ...SQL_LANES } : LANES);

async function checkSql(objects, name, seen) {
  const stamps = await objects.askSql(name, "/look");
  return oneStamp(stamps, true, seen);
}

/** Whether money and books agree, whichever process wrote them, and the counters too. */
export async function checkShared({ objects }) {
  const storage = await objects.storage("bank");
  const expected = range(ACCOUNTS, () => ACCOUNT_START);
  for (const [from, to, amount] of (await storage.list({ prefix: "books:" })).values()) {
    expected[from] -= amount;
    expected[to] += amount;
  }
  const accounts = await storage.get(range(ACCOUNTS, account));
  const found = range(ACCOUNTS, (number) => accounts.get(account(number)) ?? ACCOUNT_START);
  if (found.join() !== expected.join()) {
    return `the accounts hold ${found.join()}, but the books say ${expected.join()}`;
  }
  const counters = await (await objects.storage("count")).list();
  const all = counters.get("all") ?? 0;
  counters.delete("all");
  const sum = [...counters.values()].reduce((total, count) => total + count, 0);
  return sum === all ? undefined : `the counters' sum is ${sum}, but all is ${all}`;
}

async function checkTurn(objects, name, slot, seen) {
  const found = await (await objects.storage(name)).list({ prefix: `t:${slot}:` });
  const stamps = [...found.values()];
  const whole =
    stamps.length === 0 || (stamps.length === 3 && found.has(`t:${slot}:c:${stamps[0]}`));
  return oneStamp(stamps, whole, seen);
}

function oneStamp(stamps, whole, seen) {
  if (!whole || stamps.some((stamp) => stamp !== stamps[0])) {
    return `a batch is torn: ${stamps.join(", ") || "nothing"}`;
  }
  const found = stamps[0] ?? 0;
  return possible(seen, (at) => at === found) ? undefined : `${found} is there, not ${shown(seen)}`;
}

/** Whether some operation from the last acknowledged to the last issued leaves what `fits`; 0 is before all. */
function possible({ acknowledged, issued }, fits) {
  const last = Math.max(0, ...acknowledged);
  return [last, ...issued.filter((stamp) => stamp > last)].some(fits);
}

function shown({ acknowledged, issued }) {
  const last = Math.max(0, ...acknowledged);
  return `one of ${last}..${Math.max(last, ...issued)}`;
}

async function lastStamp(storage, prefix) {
  const found = await storage.list({ prefix });
  return Math.max(0, ...found.values());
}
