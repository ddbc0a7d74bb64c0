/**
 * The parts of documents that are written from results: pictures with words for readers who cannot see them, and
 * tables.
 */
import { posix } from "node:path";
import { Failure } from "../program.mjs";
import { runsOf, shown } from "./results.mjs";

const ARCHITECTURE =
  "Tests, programs and the command reach a worker through Miniflare 2. Its Durable Objects are the face in TypeScript. The face calls the binding in Rust, the binding calls the core, and the core keeps data in memory, files or Redis.";

/** The blocks by name: each is a function of the folder of the document that holds it. */
export function blocks(results, charts) {
  const { memory, files, redis } = results;
  const chart = (name) => (folder) => picture(folder, name, altOf(charts[name]));
  return {
    architecture: (folder) => picture(folder, "architecture", ARCHITECTURE),
    speed: chart("speed"),
    memory: (folder) => `${chart("memory")(folder)}\n\n${table(memory, ["reference", "ours"])}`,
    files: (folder) =>
      `${chart("files")(folder)}\n\n${table(files, ["reference", "fsync", "process"])}`,
    redis: (folder) => `${chart("redis")(folder)}\n\n${table(redis, ["old", "plain", "ours"])}`,
  };
}

/** Fills what is between `<!-- drawn: NAME -->` and `<!-- end -->` in a document. */
export function fillBlocks(name, text, written) {
  const folder = posix.dirname(name);
  return text.replace(
    /(<!-- drawn: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin, block, end) => {
      if (!written[block])
        throw new Failure(
          `${name} asks for the drawing "${block}": choose one of ${Object.keys(written).join(", ")}.`,
        );
      return `${begin}${written[block](folder)}\n${end}`;
    },
  );
}

/** A picture that follows the theme of the page. */
function picture(folder, name, alt) {
  const file = (theme) => posix.relative(folder, `docs/images/${name}-${theme}.svg`);
  return [
    "<picture>",
    `  <source media="(prefers-color-scheme: dark)" srcset="${file("dark")}">`,
    `  <img alt="${alt.replaceAll('"', "&quot;")}" src="${file("light")}">`,
    "</picture>",
  ].join("\n");
}

function altOf({ title, groups }) {
  const parts = groups.map(({ title: head, rows }) => {
    const values = rows.map(
      ({ name, bars }) => `${name} ${bars.map(({ label }) => label).join(" and ")}`,
    );
    return `${head ? `${head}: ` : ""}${values.join("; ")}.`;
  });
  return `${title}. ${parts.join(" ")}`;
}

/** A table of some sides. What is better than ours is bold. */
function table(results, sides) {
  // As code, since pages take `name@version` for an address of mail.
  const names = sides.map((side) => results.sides[side].replace(/\S+@\S+/, "`$&`"));
  const head = ["", "unit", ...names];
  const lines = results.rows.map((row) => [
    row.name,
    row.unit,
    ...sides.map((side) => cell(row, side)),
  ]);
  const rows = [head, head.map((_, i) => (i < 2 ? "---" : "---:")), ...lines];
  return `${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n\n${circumstances(results)}`;
}

/** When, where and how a run took place, in one sentence. */
function circumstances(results) {
  const { rounds, quick, objects, otherKeys } = results.settings;
  const parts = [runsOf(results), `median of ${rounds}${quick ? " short" : ""} rounds`];
  if (objects !== undefined) parts.push(`${shown(objects)} objects`);
  if (otherKeys !== undefined) parts.push(`${shown(otherKeys)} other keys`);
  const versions = Object.entries(results.versions).map((version) => version.join(" "));
  return `${parts.join("; ")}; ${versions.join(", ")}.`;
}

const foreign = (side) => !["ours", "fsync", "process"].includes(side);

/** The median, and by how much the rounds are away from it. */
function cell({ rates, better }, side) {
  const { median, low, high } = rates[side];
  const spread =
    low === null || low === high
      ? ""
      : ` ±${Math.round((100 * Math.max(median - low, high - median)) / median)}%`;
  const ours = Object.keys(rates).filter((key) => !foreign(key));
  const beats = (key) =>
    better === "lower" ? median < rates[key].median : median > rates[key].median;
  return foreign(side) && ours.every(beats)
    ? `**${shown(median)}**${spread}`
    : `${shown(median)}${spread}`;
}
