// The migrations in their order, in the form that drizzle-kit generates for Durable Objects.
import m0000 from "./0000_authors_and_books.sql";
import m0001 from "./0001_tags.sql";
import journal from "./meta/_journal.json";

export default { journal, migrations: { m0000, m0001 } };
