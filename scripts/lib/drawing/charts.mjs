/** What each chart shows: which rows of which results, and which side is compared with which. */
import { ratio, rowOf, runsOf, shown, times } from "./results.mjs";

const REFERENCE = "Miniflare 2.14.4";
const LOG = "Bars are on a logarithmic scale.";

/** Bars of a row: each pair is the side that is shown and the side that it is compared with. */
function bars(row, pairs) {
  return pairs.map(([side, other], i) => {
    const value = ratio(row, side, other);
    return { ratio: value, label: times(value), side: i };
  });
}

/** Medians of some sides, as `213,439 → 343,455 ops/s`. */
function rates({ rates: all, unit }, from, to) {
  const list = (sides) => sides.map((side) => shown(all[side].median)).join(" / ");
  return `${list(from)} → ${list(to)} ${unit}`;
}

function group(title, results, names, { pairs, from, to }) {
  const rows = names.map((name) => rowOf(results, name));
  return {
    title,
    rows: rows.map((row) => ({
      name: row.name,
      rates: rates(row, from, to),
      bars: bars(row, pairs),
    })),
  };
}

const namesOf = ({ rows }) => rows.map(({ name }) => name);

/** The rows of the README's chart: what users do most, gains and losses. */
const headline = {
  memory: [
    "get",
    "put",
    "list of 1000 entries",
    "list of 10 out of 10,000",
    "transaction on 2 keys",
    "counter through stub.fetch",
  ],
  files: [
    "get",
    "put, awaited outside",
    "list of 10 out of 10,000",
    "transaction on 2 keys",
    "first write, sequential",
  ],
  redis: ["get", "put inside an object", "list of 10 out of 10,000", "transaction on 2 keys"],
};

const ways = {
  memory: { pairs: [["ours", "reference"]], from: ["reference"], to: ["ours"] },
  process: { pairs: [["process", "reference"]], from: ["reference"], to: ["process"] },
  files: {
    pairs: [
      ["process", "reference"],
      ["fsync", "reference"],
    ],
    from: ["reference"],
    to: ["process", "fsync"],
  },
  old: { pairs: [["ours", "old"]], from: ["old"], to: ["ours"] },
  redis: {
    pairs: [
      ["ours", "old"],
      ["ours", "plain"],
    ],
    from: ["old", "plain"],
    to: ["ours"],
  },
};

/** Every chart, by the name of its file. */
export function charts({ memory, files, redis }) {
  return {
    speed: {
      title: `How many times as fast as ${REFERENCE}`,
      subtitle: `${REFERENCE} → ferroflare. ${LOG}`,
      footer: `Medians. ${runsOf(memory, files, redis)}`,
      legend: ["ferroflare"],
      groups: [
        group("In memory", memory, headline.memory, ways.memory),
        group("In files, without fsync on either side", files, headline.files, ways.process),
        group("In Redis", redis, headline.redis, ways.old),
      ],
    },
    memory: {
      title: `In memory: how many times as fast as ${REFERENCE}`,
      subtitle: `${REFERENCE} → ferroflare. ${LOG}`,
      footer: `Medians. ${runsOf(memory)}`,
      legend: ["ferroflare"],
      groups: [group("", memory, namesOf(memory), ways.memory)],
    },
    files: {
      title: `In files: how many times as good as ${REFERENCE}`,
      subtitle: `${REFERENCE}, which calls no fsync → process / fsync. ${LOG}`,
      footer: `Medians. ${runsOf(files)}`,
      legend: ["process: no fsync", "fsync: the default"],
      groups: [group("", files, namesOf(files), ways.files)],
    },
    redis: {
      title: "In Redis: how many times as fast",
      subtitle: `${REFERENCE} / plain ioredis → ferroflare. ${LOG}`,
      footer: `Medians. ${runsOf(redis)}`,
      legend: [`as ${REFERENCE}`, "as plain ioredis"],
      groups: [group("", redis, namesOf(redis), ways.redis)],
    },
  };
}
