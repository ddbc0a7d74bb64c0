/** Draws the map of the layers: boxes and arrows as plain SVG. */
import { FONT } from "./themes.mjs";

const WIDTH = 760;
const HEIGHT = 486;
const LEFT = 20;
const FULL = WIDTH - 2 * LEFT;
const GAP = 12;

/** Boxes beside each other: the row of users at the top, and that of the places at the bottom. */
const users = [
  ["your program", "the Miniflare class"],
  ["the command", "ferroflare worker.mjs"],
  ["Jest and Vitest", "test environments"],
  ["miniflare 2.14.4", "with one override"],
];
const places = [
  ["memory", "an ordered map per object"],
  ["files", "a RocksDB database per object"],
  ["Redis", "a server or a cluster"],
];

/** The layers between them, each with what goes down to the next one. */
const layers = [
  {
    title: "Miniflare 2",
    text: "runs the worker in Node.js: scripts, requests, gates, KV, R2, caches",
    down: "env.OBJECT.get(id).fetch(), state.storage",
  },
  {
    title: "lib/: the face, TypeScript",
    text: "namespaces, stubs, storage API, retries, values to bytes",
    down: "numbers, strings, one shared buffer; most calls return at once",
    ours: true,
  },
  {
    title: "src/: the binding, Rust",
    text: "converts arguments and results; the only code that names napi",
    down: "keys and values as bytes",
    ours: true,
  },
  {
    title: "crates/core/: the core, Rust",
    text: "ids, order, limits, transactions, conflicts, alarms; knows no Node.js",
    down: "one contract for every place",
    ours: true,
  },
];

export function drawArchitecture(theme) {
  const shapes = [rectangle(0, 0, WIDTH, HEIGHT, { fill: theme.background, stroke: "none", r: 0 })];
  let y = 20;
  shapes.push(...boxes(users, y, theme));
  y += 50;
  shapes.push(arrow(y, "", theme));
  y += 20;
  for (const layer of layers) {
    shapes.push(...layerBox(layer, y, theme), arrow(y + 54, layer.down, theme));
    y += 54 + 28;
  }
  shapes.push(...boxes(places, y, theme));
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="${FONT}">`;
  return `${[head, ...shapes, "</svg>"].join("\n")}\n`;
}

function* boxes(list, y, theme) {
  const width = (FULL - GAP * (list.length - 1)) / list.length;
  for (const [i, [title, text]] of list.entries()) {
    const x = LEFT + i * (width + GAP);
    yield rectangle(x, y, width, 50, { fill: theme.panel, stroke: theme.line });
    yield label(title, x + width / 2, y + 22, { fill: theme.text, weight: 600 });
    yield label(text, x + width / 2, y + 39, { fill: theme.muted, size: 12 });
  }
}

function* layerBox({ title, text, ours }, y, theme) {
  const stroke = ours ? theme.first : theme.line;
  yield rectangle(LEFT, y, FULL, 54, { fill: theme.panel, stroke });
  yield label(title, WIDTH / 2, y + 23, { fill: ours ? theme.first : theme.text, weight: 600 });
  yield label(text, WIDTH / 2, y + 42, { fill: theme.muted, size: 12 });
}

/** An arrow down the middle, with what it carries beside it. */
function arrow(y, text, theme) {
  const [x, end] = [WIDTH / 2, y + (text ? 26 : 18)];
  const line = `<path d="M${x} ${y + 2}V${end}M${x - 4} ${end - 5}L${x} ${end}L${x + 4} ${end - 5}" fill="none" stroke="${theme.muted}" stroke-width="1.5"/>`;
  const beside = { fill: theme.muted, size: 11, anchor: "start" };
  return text ? `${line}\n${label(text, x + 12, y + 18, beside)}` : line;
}

function rectangle(x, y, width, height, { fill, stroke, r = 6 }) {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${r}" fill="${fill}" stroke="${stroke}"/>`;
}

function label(text, x, y, { fill, size = 14, weight = 400, anchor = "middle" }) {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escaped}</text>`;
}
