// The rooms of the repository: what lies where, and which room may import which.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  circlesIn,
  filesBelow,
  importsBetweenRooms,
  importsOf,
  read,
  rustImports,
} from "../support/sources.mjs";

const roomOf = (file) => file.split("/")[1];
const isTest = (file) => file.endsWith(".test.mjs");
const scriptFiles = (folder) => filesBelow(folder, /\.mjs$/);

/** The drawing in ARCHITECTURE.md: the lines of the block whose rooms are separated by `<`, the lowest first. */
function drawnRooms() {
  const [, block] = /```rooms\n([\s\S]*?)```/.exec(read("ARCHITECTURE.md")) ?? [];
  assert.ok(
    block,
    "ARCHITECTURE.md has a drawing of the rooms of lib, a block of the kind `rooms`",
  );
  const lines = block.trim().split("\n");
  return lines.map((line) => line.split("<").map((level) => level.split(",").map((s) => s.trim())));
}

/** For each room that is drawn, the rooms below it. */
function roomsBelow() {
  const below = new Map();
  const chains = drawnRooms();
  for (const room of chains.flat(2)) below.set(room, new Set());
  for (let settled = false; !settled; ) {
    settled = true;
    for (const chain of chains) {
      for (const [level, rooms] of chain.entries()) {
        const lower = chain.slice(0, level).flat();
        for (const room of rooms) {
          for (const other of lower.flatMap((one) => [one, ...below.get(one)])) {
            if (below.get(room).has(other)) continue;
            below.get(room).add(other);
            settled = false;
          }
        }
      }
    }
  }
  return below;
}

test("lib has no files at its top, and every room of it is drawn in ARCHITECTURE.md", () => {
  const files = filesBelow("lib", /./);
  assert.deepEqual(
    files.filter((file) => file.split("/").length === 2),
    [],
  );
  assert.deepEqual([...roomsBelow().keys()].sort(), [...new Set(files.map(roomOf))].sort());
});

test("the rooms of lib import only rooms that are drawn below them", () => {
  const below = roomsBelow();
  for (const file of filesBelow("lib", /\.ts$/)) {
    for (const imported of importsOf(file)) {
      const [from, to] = [roomOf(file), roomOf(imported)];
      if (!imported.startsWith("lib/") || from === to) continue;
      assert.ok(
        below.get(from)?.has(to),
        `${file} imports ${imported}: ${to} is not below ${from}`,
      );
    }
  }
});

test("tests lie in rooms, which share only what lies in support and fixtures", () => {
  for (const file of scriptFiles("__test__")) {
    assert.ok(file.split("/").length > 2, `${file} lies at the top of __test__`);
    assert.ok(!isTest(file) || roomOf(file) !== "support", `${file} is a test among the helpers`);
    for (const imported of importsOf(file)) {
      if (!imported.startsWith("__test__/") || roomOf(imported) === roomOf(file)) continue;
      const shared = ["support", "fixtures"].includes(roomOf(imported));
      assert.ok(shared, `${file} imports ${imported}, which belongs in __test__/support`);
    }
  }
});

test("tests import of scripts only what lies in scripts/lib, which imports no test", () => {
  for (const file of scriptFiles("__test__")) {
    for (const imported of importsOf(file)) {
      const allowed = !imported.startsWith("scripts/") || imported.startsWith("scripts/lib/");
      assert.ok(allowed, `${file} imports ${imported}, which is a command`);
    }
  }
  for (const file of scriptFiles("scripts/lib")) {
    for (const imported of importsOf(file)) {
      assert.ok(!imported.startsWith("__test__/"), `${file} imports ${imported}, which is a test`);
    }
  }
});

test("no files of the core import each other in a circle", () => {
  const imports = rustImports("crates/core/src");
  assert.deepEqual(circlesIn(imports), [], "let the lower file know nothing of the upper one");
});

test("no rooms of the core import each other in a circle, in no folder", () => {
  const imports = rustImports("crates/core/src");
  for (const [folder, rooms] of importsBetweenRooms(imports)) {
    assert.deepEqual(circlesIn(rooms), [], `a circle among the rooms of ${folder}`);
  }
});
