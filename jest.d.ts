// The types of `ferroflare/jest`: name it in `types` of tsconfig.json for the globals.
import "./globals";

export type { TestEnvironmentOptions } from "./dist/testing/environment";
export { default } from "./dist/testing/jest";
