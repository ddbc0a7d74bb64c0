// Two first users of one new directory get no error, and no update of theirs is lost, in every combination.
import { describe, test } from "node:test";
import { KINDS, useFirst } from "../support/first-users.mjs";

/** More of them: node __test__/torture/first-users.mjs --rounds 100. */
const ROUNDS = 4;

describe("first users of one new directory", () => {
  for (const kind of Object.keys(KINDS)) {
    test(`${kind} start at once without an error or a lost update`, () => useFirst(kind, ROUNDS));
  }
});
