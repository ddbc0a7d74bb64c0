/**
 * Draws a chart of ratios. Bars on a logarithmic scale begin at 1×: to the right for what is faster, to the left for
 * what is slower. Vega does the scales and the marks. Positions of rows are ours, so that no text is measured.
 */
import { parse, View } from "vega";
import { times } from "./results.mjs";
import { FONT } from "./themes.mjs";

const WIDTH = 760;
const NAME_WIDTH = 190;
const RATE_WIDTH = 170;
const BAR_HEIGHT = 12;
const ROW_GAP = 8;
const HEAD_HEIGHT = 30;
const TOP = 80;
const BOTTOM = 44;
const MARGIN = 20;

/**
 * `groups` are `{ title, rows }`, a row is `{ name, rates, bars }` and a bar `{ ratio, label, side }`. `legend` names the
 * sides; with one side slower bars have a colour of their own. Resolves with the text of an SVG file.
 */
export async function drawChart({ title, subtitle, footer, groups, legend }, theme) {
  const { rows, bars, heads, height } = layOut(groups);
  const ratios = bars.map(({ ratio }) => ratio);
  const spec = {
    width: WIDTH,
    height,
    padding: 0,
    autosize: "none",
    background: theme.background,
    config: { text: { font: FONT, fontSize: 12, fill: theme.text } },
    data: [
      { name: "rows", values: rows },
      { name: "bars", values: bars.map((bar) => ({ ...bar, ...look(bar, legend, theme) })) },
      { name: "heads", values: heads },
      { name: "ticks", values: ticks(ratios) },
      { name: "texts", values: [...texts({ title, subtitle, footer, height }, theme)] },
      { name: "legend", values: legendItems(legend, theme) },
    ],
    scales: [
      {
        name: "x",
        type: "log",
        domain: domainOf(ratios),
        range: rangeOf(Math.min(...ratios)),
      },
    ],
    marks: marks(height, theme),
  };
  return tidy(await new View(parse(spec), { renderer: "none" }).toSVG());
}

/** The least and the greatest ratio, with 1× between them. */
const domainOf = (ratios) => [Math.min(0.9, ...ratios), Math.max(2, ...ratios)];

/** The powers of ten that the scale reaches. */
function ticks(ratios) {
  const [least, greatest] = domainOf(ratios);
  const powers = [0.001, 0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000];
  const reached = powers.filter((power) => power >= least && power <= greatest);
  return reached.map((ratio) => ({ ratio, label: times(ratio), width: ratio === 1 ? 1.5 : 0.5 }));
}

/** Where bars lie: room for a label is left on the side of each. */
function rangeOf(least) {
  return [MARGIN + NAME_WIDTH + (least < 1 ? 46 : 0), WIDTH - MARGIN - RATE_WIDTH - 66];
}

function layOut(groups) {
  const rows = [];
  const bars = [];
  const heads = [];
  let y = TOP + 4;
  for (const group of groups) {
    if (group.title) {
      heads.push({ text: group.title, y: y + HEAD_HEIGHT / 2 + 2 });
      y += HEAD_HEIGHT;
    }
    for (const { name, rates, bars: own } of group.rows) {
      const rowHeight = own.length * BAR_HEIGHT + (own.length - 1) * 2;
      rows.push({ name, rates, y: y + rowHeight / 2 });
      own.forEach((bar, i) => {
        bars.push({ ...bar, y: y + i * (BAR_HEIGHT + 2) });
      });
      y += rowHeight + ROW_GAP;
    }
  }
  return { rows, bars, heads, height: y + BOTTOM };
}

function look({ ratio, side }, legend, theme) {
  const own = [theme.first, theme.second][side];
  return { fill: legend.length === 1 && ratio < 1 ? theme.slower : own, slower: ratio < 1 };
}

function* texts({ title, subtitle, footer, height }, theme) {
  yield { text: title, x: MARGIN, y: 22, size: 15, weight: 600, fill: theme.text };
  yield { text: subtitle, x: MARGIN, y: 42, size: 12, weight: 400, fill: theme.muted };
  yield { text: footer, x: MARGIN, y: height - 14, size: 11, weight: 400, fill: theme.muted };
}

function legendItems(legend, theme) {
  const items =
    legend.length > 1
      ? legend.map((text, i) => ({ text, fill: [theme.first, theme.second][i] }))
      : [
          { text: "slower", fill: theme.slower },
          { text: "faster", fill: theme.first },
        ];
  const width = legend.length > 1 ? 170 : 80;
  return items.map((item, i) => ({ ...item, x: MARGIN + i * width, y: 63 }));
}

/** A mark for each item of some data. */
const mark = (type, data, enter) => ({ type, from: { data }, encode: { enter } });

const text = (data, enter) =>
  mark("text", data, {
    baseline: { value: "middle" },
    text: { field: "text" },
    y: { field: "y" },
    ...enter,
  });

function marks(height, theme) {
  return [...scaleMarks(height, theme), ...barMarks(), ...wordMarks(theme)];
}

/** Lines for the powers of ten, and their names below. */
function scaleMarks(height, theme) {
  return [
    mark("rule", "ticks", {
      x: { scale: "x", field: "ratio" },
      y: { value: TOP },
      y2: { value: height - BOTTOM },
      stroke: { value: theme.line },
      strokeWidth: { field: "width" },
    }),
    text("ticks", {
      text: { field: "label" },
      x: { scale: "x", field: "ratio" },
      y: { value: height - BOTTOM + 9 },
      align: { value: "center" },
      fill: { value: theme.muted },
      fontSize: { value: 10 },
    }),
  ];
}

/** Bars from 1× to the ratio, which stands at their end. */
function barMarks() {
  return [
    mark("rect", "bars", {
      x: { scale: "x", value: 1 },
      x2: { scale: "x", field: "ratio" },
      y: { field: "y" },
      height: { value: BAR_HEIGHT },
      cornerRadius: { value: 2 },
      fill: { field: "fill" },
    }),
    text("bars", {
      text: { field: "label" },
      x: { scale: "x", field: "ratio", offset: { signal: "datum.slower ? -6 : 6" } },
      y: { field: "y", offset: BAR_HEIGHT / 2 },
      align: { signal: 'datum.slower ? "right" : "left"' },
      fontWeight: { value: 600 },
    }),
  ];
}

/** Names and rates of the rows, heads of the groups, title, footer and legend. */
function wordMarks(theme) {
  const muted = { fill: { value: theme.muted } };
  return [
    text("rows", { text: { field: "name" }, x: { value: MARGIN } }),
    text("rows", {
      ...muted,
      text: { field: "rates" },
      x: { value: WIDTH - MARGIN },
      align: { value: "right" },
      fontSize: { value: 11 },
    }),
    text("heads", { ...muted, x: { value: MARGIN }, fontWeight: { value: 600 } }),
    text("texts", {
      x: { field: "x" },
      fontSize: { field: "size" },
      fontWeight: { field: "weight" },
      fill: { field: "fill" },
    }),
    text("legend", { x: { field: "x", offset: 16 } }),
    mark("rect", "legend", {
      x: { field: "x" },
      y: { field: "y", offset: -5 },
      width: { value: 10 },
      height: { value: 10 },
      cornerRadius: { value: 2 },
      fill: { field: "fill" },
    }),
  ];
}

/**
 * Keeps two decimals, so that no version of Node.js gives another last digit. Removes attributes for a page's scripts
 * and readers, which an image does not have. Gives each element a line.
 */
function tidy(svg) {
  const lines = svg
    .replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))))
    .replace(/ (?:class|role|aria-[a-z]+|pointer-events|display)="[^"]*"/g, "")
    .replaceAll("><", ">\n<")
    .split("\n");
  return `${lines.filter((line) => !/^<path d=""\/>$/.test(line)).join("\n")}\n`;
}
