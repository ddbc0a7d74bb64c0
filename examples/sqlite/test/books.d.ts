// The types of the books, for TypeScript.
import type { NewBook } from "../src/library";

export declare const BOOKS: NewBook[];
