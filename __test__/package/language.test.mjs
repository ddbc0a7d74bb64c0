// Plain English: comments, messages and documents name who acts, use the words that other projects use, and have short
// sentences.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sentencesOf } from "../support/sentences.mjs";
import { filesBelow, read } from "../support/sources.mjs";

/** The goal is 25 words. */
const WORDS_MAX = 30;

/** Each word with what to write instead. */
const INSTEAD = {
  "somebody|nobody|anybody|whoever":
    "the actor: caller, reader, writer, lock holder, process, server",
  anew: "again, or empty",
  "at hand": "open, known, in memory",
  "mend(s|ed|ing)?": "fix or repair",
  "lets? go of": "release, discard or close",
  "look(s|ed)? after": "check, maintain or serve",
};
const FOLDERS = [
  "__test__",
  "bench",
  "crates",
  "docs",
  "examples",
  "lib",
  "scripts",
  "src",
  "vitest",
];
const TEXT = /\.(c?js|mjs|ts|rs|lua|md|cc|h)$/;
/** Names that mean something else: a user of Unix, users of Redis, a group of sentinels. */
const EXCEPT = /as nobody|NOBODY|nobody:|"somebody"|\/somebody\|/;
/** This file, and one that is generated. */
const NOT_READ = new Set(["__test__/package/language.test.mjs", "binding.js"]);
const root = fileURLToPath(new URL("../..", import.meta.url));

const files = [
  ...readdirSync(root).filter((name) => TEXT.test(name)),
  ...FOLDERS.flatMap((folder) => filesBelow(folder, TEXT)),
].filter((file) => !NOT_READ.has(file) && !file.split("/").includes("node_modules"));

test("no file has a word that hides who acts, or a homely one", () => {
  assert.ok(files.length > 500, "the sources were found");
  const found = files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, i) => problems(file, i, line)),
  );
  assert.deepEqual(found, []);
});

test("no comment and no document has a sentence that is too long", () => {
  const sentences = files.flatMap((file) =>
    sentencesOf(file, read(file)).map((sentence) => ({ ...sentence, file })),
  );
  assert.ok(sentences.length > 5000, `only ${sentences.length} sentences were found`);
  const long = sentences.filter(({ words }) => words > WORDS_MAX);
  const shown = long.map(
    ({ file, line, words, text }) => `${file}:${line}: ${words} words: ${text}`,
  );
  assert.deepEqual(shown, []);
});

test("sentences are found in comments and documents, but not in code", () => {
  const words = (file, content) => sentencesOf(file, content).map((sentence) => sentence.words);
  const comment =
    "/**\n * One `a b` two. Three\n * four five.\n *\n * - six\n * - seven eight\n */";
  assert.deepEqual(words("a.ts", comment), [3, 3, 1, 2]);
  assert.deepEqual(words("a.rs", "//! One.\n//! Two three\nfn four() {} // five"), [1, 2]);
  assert.deepEqual(words("a.lua", "-- One two.\n-- ARGV: three\n--   four\nlocal five"), [2]);
  const table = "# One\n\n```sh\ntwo three\n```\n| four | five six |\n\nSeven\neight. Nine.";
  assert.deepEqual(words("a.md", table), [1, 1, 2, 2, 1]);
});

function problems(file, index, line) {
  if (EXCEPT.test(line)) return [];
  return Object.entries(INSTEAD)
    .filter(([words]) => new RegExp(`\\b(${words})\\b`, "i").test(line))
    .map(([words, instead]) => `${file}:${index + 1}: ${words}: write ${instead}`);
}
