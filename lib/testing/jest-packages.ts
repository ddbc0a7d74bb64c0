/** Finds the packages of the Jest that runs, so that mocks and fake timers are of its version. */
import { createRequire } from "node:module";
import path from "node:path";

/** What is used of Jest's packages, in all versions from 27 on. */
export interface JestPackages {
  LegacyFakeTimers: new (options: object) => FakeTimers;
  ModernFakeTimers: new (options: object) => FakeTimers;
  ModuleMocker: new (global: object) => unknown;
  installCommonGlobals(global: object, globals: object): unknown;
}

export interface FakeTimers {
  dispose(): void;
}

/** Which package has the next one among its dependencies. */
const CHAINS = [
  ["jest", "@jest/core", "jest-config", "jest-environment-node"],
  ["jest-cli", "@jest/core", "jest-config", "jest-environment-node"],
  ["@jest/core", "jest-config", "jest-environment-node"],
  ["jest-environment-node"],
];

export function jestPackages(rootDir: string): JestPackages {
  const require = requireOf(rootDir);
  const { LegacyFakeTimers, ModernFakeTimers } = require("@jest/fake-timers");
  const { ModuleMocker } = require("jest-mock");
  const { installCommonGlobals } = require("jest-util");
  return { LegacyFakeTimers, ModernFakeTimers, ModuleMocker, installCommonGlobals };
}

/** The `require` of Jest's own Node.js environment. */
function requireOf(rootDir: string): NodeJS.Require {
  const places = [path.join(rootDir, "package.json"), ...process.argv.slice(1, 2)];
  for (const place of places) {
    for (const chain of CHAINS) {
      try {
        return chain.reduce(
          (from, name) => createRequire(from.resolve(`${name}/package.json`)),
          createRequire(place),
        );
      } catch {
        // Not there: the next one may be.
      }
    }
  }
  throw new Error(
    `ferroflare/jest cannot find Jest from ${rootDir}. Install it there: npm install -D jest`,
  );
}
