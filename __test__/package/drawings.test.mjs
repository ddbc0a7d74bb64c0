// Images and figures are those of bench/results; the README is short, and its program runs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { drawings } from "../../scripts/lib/drawing/drawings.mjs";
import { blockIn } from "../support/documented.mjs";

const WORDS_MAX = 700;
const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (name) => readFileSync(path.join(root, name), "utf8");

test("drawings: images and figures in documents are those of bench/results", async () => {
  for (const [name, text] of await drawings()) {
    const same = existsSync(path.join(root, name)) && read(name) === text;
    assert.ok(same, `${name} is not what bench/results says: run \`npm run draw\``);
  }
});

test("drawings: every image is drawn, and shown by a document in both themes", async () => {
  const drawn = await drawings();
  const documents = [...drawn.keys()].filter((name) => name.endsWith(".md"));
  const shown = documents.flatMap((name) =>
    [...read(name).matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, image]) =>
      path.posix.join(path.posix.dirname(name), image),
    ),
  );
  const images = readdirSync(path.join(root, "docs/images")).map((name) => `docs/images/${name}`);
  assert.deepEqual(
    images.filter((name) => !drawn.has(name)),
    [],
  );
  assert.deepEqual([...new Set(shown)].sort(), images.sort());
});

/** The words that a reader of the rendered text sees; code counts, addresses and descriptions of images do not. */
function wordsOf(markdown) {
  const text = markdown
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/<[^>]*>/g, "")
    .replace(/^```.*$/gm, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
}

test("README: at most 700 words", () => {
  const { length } = wordsOf(read("README.md"));
  assert.ok(length <= WORDS_MAX, `README.md has ${length} words: move what is too much to docs`);
});

test("README: its program prints what its comments say", () => {
  const program = blockIn("README.md", "js", 'from "ferroflare"');
  const expected = [...program.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, value]) => value);
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module"], {
    input: program,
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.ok(expected.length > 0);
  assert.deepEqual(stdout.trim().split("\n"), expected);
});
