// Plain English: comments, messages and documents name who acts, and use the words that other projects use.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { filesBelow, read } from "../support/sources.mjs";

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
const FOLDERS = ["__test__", "bench", "crates", "docs", "examples", "lib", "scripts", "src"];
const TEXT = /\.(c?js|mjs|ts|rs|lua|md|cc|h)$/;
/** Names that mean something else: a user of Unix, users of Redis, a group of sentinels. */
const EXCEPT = /as nobody|NOBODY|nobody:|"somebody"|\/somebody\|/;
const OWN_FILE = "__test__/package/language.test.mjs";
const root = fileURLToPath(new URL("../..", import.meta.url));

test("no file has a word that hides who acts, or a homely one", () => {
  const files = [
    ...readdirSync(root).filter((name) => TEXT.test(name)),
    ...FOLDERS.flatMap((folder) => filesBelow(folder, TEXT)),
  ].filter((file) => file !== OWN_FILE && !file.split("/").includes("node_modules"));
  assert.ok(files.length > 500, "the sources were found");
  const found = files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, i) => problems(file, i, line)),
  );
  assert.deepEqual(found, []);
});

function problems(file, index, line) {
  if (EXCEPT.test(line)) return [];
  return Object.entries(INSTEAD)
    .filter(([words]) => new RegExp(`\\b(${words})\\b`, "i").test(line))
    .map(([words, instead]) => `${file}:${index + 1}: ${words}: write ${instead}`);
}
