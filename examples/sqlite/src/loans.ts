// Who has borrowed what, by workers-qb.
import { DurableObject } from "cloudflare:workers";
import { ConflictTypes, DOQB } from "workers-qb";
import type { Env } from "./library";

export interface Loan {
  book: string;
  reader: string;
  days: number;
}

const MIGRATIONS = [
  {
    name: "0001_loans",
    sql: "CREATE TABLE loans (book TEXT PRIMARY KEY, reader TEXT NOT NULL, days INTEGER NOT NULL DEFAULT 14);",
  },
  { name: "0002_by_reader", sql: "CREATE INDEX loans_by_reader ON loans (reader);" },
];

export class Loans extends DurableObject<Env> {
  private readonly qb: DOQB;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.qb = new DOQB(ctx.storage.sql);
    ctx.blockConcurrencyWhile(async () => {
      this.qb.migrations({ migrations: MIGRATIONS }).apply();
    });
  }

  /** Lends a book; a book that is away is lent again to the same reader only, for longer. */
  lend(book: string, reader: string, days = 14): boolean {
    const { results } = this.qb
      .insert<Loan>({
        tableName: "loans",
        data: { book, reader, days },
        onConflict: {
          column: "book",
          data: { days },
          where: { conditions: "reader = ?", params: [reader] },
        },
        returning: "*",
      })
      .execute();
    return [results ?? []].flat().length > 0;
  }

  give(book: string): void {
    this.qb
      .delete({ tableName: "loans", where: { conditions: "book = ?", params: [book] } })
      .execute();
  }

  of(reader: string): Loan[] {
    const { results } = this.qb
      .fetchAll<Loan>({
        tableName: "loans",
        where: { conditions: "reader = ?", params: [reader] },
        orderBy: "book",
      })
      .execute();
    return results ?? [];
  }

  days(): number {
    const query = this.qb.fetchOne<{ days: number }>({
      tableName: "loans",
      fields: "total(days) AS days",
    });
    return query.execute().results?.days ?? 0;
  }

  /** Remembers all of these, or none. */
  import(loans: Loan[]): number {
    return this.ctx.storage.transactionSync(() => {
      for (const data of loans) {
        this.qb
          .insert({ tableName: "loans", data: { ...data }, onConflict: ConflictTypes.ABORT })
          .execute();
      }
      return (
        this.qb.fetchOne<{ n: number }>({ tableName: "loans", fields: "count(*) AS n" }).execute()
          .results?.n ?? 0
      );
    });
  }
}
