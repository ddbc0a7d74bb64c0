// A library: its authors and books in tables of its own, by Drizzle.
import { DurableObject } from "cloudflare:workers";
import { and, count, desc, eq, gte, like, sql } from "drizzle-orm";
import { type DrizzleSqliteDODatabase, drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import migrations from "../drizzle/migrations";
import * as schema from "./schema";
import { authors, books } from "./schema";

export interface Env {
  LIBRARY: DurableObjectNamespace<Library>;
  LOANS: DurableObjectNamespace<import("./loans").Loans>;
}

export interface NewBook {
  title: string;
  author: string;
  year?: number;
  tags?: string[];
}

export class Library extends DurableObject<Env> {
  private readonly db: DrizzleSqliteDODatabase<typeof schema>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.db = drizzle(ctx.storage, { schema });
    ctx.blockConcurrencyWhile(() => migrate(this.db, migrations));
  }

  /** Adds books of authors that may be new: all of them, or none if one is refused. */
  add(...added: NewBook[]): number[] {
    return this.db.transaction((tx) =>
      added.map(({ author: name, title, year, tags }) => {
        tx.insert(authors).values({ name }).onConflictDoNothing().run();
        const author = tx
          .select({ id: authors.id })
          .from(authors)
          .where(eq(authors.name, name))
          .get();
        if (author === undefined || title === "")
          throw new RangeError(`A book of ${name} has no title.`);
        const [book] = tx
          .insert(books)
          .values({ title, authorId: author.id, year, tags })
          .returning({ id: books.id })
          .all();
        return book.id;
      }),
    );
  }

  /** Every author with the books, the newest first. */
  catalogue() {
    return this.db.query.authors
      .findMany({
        columns: { name: true },
        with: {
          books: { columns: { title: true, year: true, tags: true }, orderBy: desc(books.year) },
        },
        orderBy: authors.name,
      })
      .sync();
  }

  book(title: string) {
    const query = this.db.query.books.findFirst({
      where: eq(books.title, title),
      with: { author: true },
    });
    return query.sync();
  }

  search(words: string, since = 0) {
    const found = and(like(books.title, `%${words}%`), gte(books.year, since));
    return this.db
      .select({ title: books.title, author: authors.name })
      .from(books)
      .innerJoin(authors, eq(books.authorId, authors.id))
      .where(found)
      .orderBy(books.title)
      .all();
  }

  numbers() {
    const perAuthor = this.db
      .select({
        author: authors.name,
        books: count(books.id),
        oldest: sql<number>`min(${books.year})`,
      })
      .from(authors)
      .leftJoin(books, eq(books.authorId, authors.id))
      .groupBy(authors.id)
      .orderBy(desc(count(books.id)))
      .all();
    return { perAuthor, bytes: this.ctx.storage.sql.databaseSize };
  }

  rename(from: string, to: string): boolean {
    return (
      this.db.update(authors).set({ name: to }).where(eq(authors.name, from)).returning().all()
        .length > 0
    );
  }

  /** Removes an author, and the books with it. */
  remove(name: string): void {
    this.db.delete(authors).where(eq(authors.name, name)).run();
  }

  /** How many migrations have run in this object. */
  migrated(): number {
    return this.db.get<{ n: number }>(sql`SELECT count(*) AS n FROM __drizzle_migrations`).n;
  }
}
