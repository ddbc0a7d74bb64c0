// Files that a rule of wrangler gives to the worker as text, and what drizzle-kit generates.
declare module "*.sql" {
  const text: string;
  export default text;
}

declare module "*/drizzle/migrations" {
  const migrations: Parameters<typeof import("drizzle-orm/durable-sqlite/migrator").migrate>[1];
  export default migrations;
}
