// Random programs answer as on miniflare@2.14.4, or the difference is a row of COMPAT.md.
// FERROFLARE_SEED repeats a run, FERROFLARE_OPS asks for more operations.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { anomalies } from "../support/anomalies/programs.mjs";
import { Random } from "../support/prng.mjs";
import { seed } from "../support/seed.mjs";
import { compare, unexplained } from "./compare.mjs";
import { defects } from "./defects.mjs";
import { programsOf } from "./directed.mjs";
import { divergences } from "./divergences.mjs";
import { program as draw, size } from "./generate.mjs";
import { report } from "./shrink.mjs";
import { openOurs, openReference } from "./subjects.mjs";

const operations = Number(process.env.FERROFLARE_OPS ?? 15_000);
const compat = readFileSync(new URL("../../COMPAT.md", import.meta.url), "utf8");
const rows = new Map(
  [...compat.matchAll(/^\| `([a-zA-Z0-9-]+)` \|(.*)$/gm)].map(([, id, rest]) => [id, rest]),
);

let reference;
let ours;

before(async () => {
  reference = await openReference();
  ours = await openOurs();
});

after(async () => {
  await reference.dispose();
  await ours.dispose();
});

/** Compares random programs until so many operations have run or one differs; returns what there is to report. */
async function search(left, right, from, operationsMax) {
  let done = 0;
  for (let index = 0; done < operationsMax; index++) {
    const program = draw(new Random(from + index * 0x1_0000_0000));
    const differences = unexplained(await compare(program, left, right));
    if (differences.length > 0) return { program, seed: from, index };
    done += size(program.steps);
  }
  return undefined;
}

test(`${operations} random operations answer as on miniflare@2.14.4 (FERROFLARE_SEED=${seed})`, async () => {
  const found = await search(reference, ours, seed, operations);
  if (found !== undefined) assert.fail(await report(found, reference, ours));
});

describe("the comparison", () => {
  test("finds no difference between miniflare@2.14.4 and itself", async (t) => {
    const other = await openReference();
    t.after(() => other.dispose());
    const found = await search(reference, other, seed, 5000);
    if (found !== undefined) assert.fail(await report(found, reference, other));
  });

  for (const defect of Object.keys(defects)) {
    test(`notices an injected defect: ${defect}`, async (t) => {
      const broken = await openReference({ defect });
      t.after(() => broken.dispose());
      assert.ok(await search(reference, broken, 1, 30_000), "no random program noticed it");
    });
  }

  test("shrinks a program to the operations that matter", async (t) => {
    const broken = await openReference({ defect: "a put is lost" });
    t.after(() => broken.dispose());
    const found = await search(reference, broken, 1, 30_000);
    const text = await report(found, reference, broken);
    assert.match(text, /repeat with FERROFLARE_SEED=1;\nleast program \([12] operations\):/);
  });
});

describe("the rows of COMPAT.md", () => {
  for (const { name } of divergences) {
    test(`${name}: is a row, and every program made for it still shows it`, async () => {
      assert.ok(rows.has(name), `COMPAT.md has no row \`${name}\``);
      for (const program of programsOf(name)) {
        const differences = await compare(program, reference, ours);
        const names = new Set(differences.map(({ named }) => named));
        assert.deepEqual([...unexplained(differences)], [], JSON.stringify(program));
        assert.ok(names.has(name), `${JSON.stringify(program)} shows ${[...names]} only`);
      }
    });
  }

  for (const [id, rest] of rows) {
    test(`${id}: what proves it exists`, () => {
      const proof = rest.split("|").at(-2).trim().split("; ");
      for (const part of proof) {
        if (part === "directed") {
          assert.ok(
            divergences.some(({ name }) => name === id),
            `row \`${id}\` is not in divergences.mjs`,
          );
          continue;
        }
        const [, file, title] = /^`([a-z-]+\/[a-z-]+\.test\.mjs)`: (.+)$/.exec(part) ?? [];
        assert.ok(file, `row \`${id}\` names no test: ${part}`);
        assert.ok(hasTest(file, title), `${file} has no test "${title}"`);
      }
    });
  }
});

const TEMPLATE_LENGTH_MIN = 20;

/** Whether a file has a test of that title: written out, made for each anomaly, or from a template. */
function hasTest(file, title) {
  const source = readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
  const written = [
    ...source.matchAll(
      /\b(?:test|example|statements|testEverywhere|values)\(\s*(?:"([^"]+)"|'([^']+)')/g,
    ),
  ];
  if (written.some(([, double, single]) => (double ?? single) === title)) return true;
  if (Object.keys(anomalies).some((name) => `anomaly, not shown: ${name}` === title)) return true;
  const templates = [
    ...source.matchAll(/\b(?:test|example|statements|testEverywhere|values)\(\s*`([^`]+)`/g),
  ];
  return templates.some(([, template]) => {
    const literal = template.split(/\$\{[^}]*\}/).map((text) => text.replace(/[^\w\s]/g, "\\$&"));
    // A template of hardly any text would prove everything.
    if (literal.join("").length < TEMPLATE_LENGTH_MIN) return false;
    return new RegExp(`^${literal.join(".+")}$`).test(title);
  });
}
