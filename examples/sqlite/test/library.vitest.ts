// The library in Vitest: Drizzle with its migrations, and workers-qb, each test with storage of its own.
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { Env } from "../src/library";
import { BOOKS } from "./books.js";

const { LIBRARY, LOANS } = env as unknown as Env;
const library = LIBRARY.getByName("main");
const loans = LOANS.getByName("main");

test("migrations run once, also when the object starts again", async () => {
  expect(await library.migrated()).toBe(2);
  await library.add(...BOOKS);
  await evictDurableObject(library);
  expect(await library.migrated()).toBe(2);
  expect(await library.catalogue()).toHaveLength(2);
});

test("each test begins with an empty library", async () => {
  expect(await library.catalogue()).toEqual([]);
});

test("a relational query gives the authors with their books", async () => {
  expect(await library.add(...BOOKS)).toEqual([1, 2, 3]);
  expect(await library.catalogue()).toEqual([
    {
      name: "Le Guin",
      books: [
        { title: "The Dispossessed", year: 1974, tags: ["novel"] },
        { title: "The Left Hand of Darkness", year: 1969, tags: [] },
      ],
    },
    { name: "Lem", books: [{ title: "Solaris", year: 1961, tags: ["novel", "ocean"] }] },
  ]);
  expect(await library.book("Solaris")).toMatchObject({ year: 1961, author: { name: "Lem" } });
  expect(await library.book("Nothing")).toBeUndefined();
});

test("a transaction that fails adds no book, and no author", async () => {
  await expect(library.add(BOOKS[0], { title: "", author: "Anonymous" })).rejects.toThrow(
    "no title",
  );
  expect(await library.catalogue()).toEqual([]);
});

test("joins, groups, updates and deletes", async () => {
  await library.add(...BOOKS);
  expect(await library.search("the", 1970)).toEqual([
    { title: "The Dispossessed", author: "Le Guin" },
  ]);
  const { perAuthor } = await library.numbers();
  expect(perAuthor).toEqual([
    { author: "Le Guin", books: 2, oldest: 1969 },
    { author: "Lem", books: 1, oldest: 1961 },
  ]);
  expect(await library.rename("Lem", "Stanislaw Lem")).toBe(true);
  expect(await library.rename("Anonymous", "x")).toBe(false);
  await expect(library.rename("Stanislaw Lem", "Le Guin")).rejects.toThrow();
  await library.remove("Le Guin");
  expect(await library.search("")).toEqual([{ title: "Solaris", author: "Stanislaw Lem" }]);
});

test("workers-qb lends, counts and gives back", async () => {
  expect(await loans.lend("Solaris", "ann")).toBe(true);
  expect(await loans.lend("Solaris", "ben")).toBe(false);
  expect(await loans.lend("Solaris", "ann", 30)).toBe(true);
  expect(await loans.of("ann")).toEqual([{ book: "Solaris", reader: "ann", days: 30 }]);
  await expect(
    loans.import([
      { book: "Other", reader: "ben", days: 7 },
      { book: "Solaris", reader: "ben", days: 7 },
    ]),
  ).rejects.toThrow("UNIQUE constraint failed");
  expect(await loans.import([{ book: "Other", reader: "ben", days: 7 }])).toBe(2);
  expect(await loans.days()).toBe(37);
  await loans.give("Solaris");
  expect(await loans.of("ann")).toEqual([]);
});
