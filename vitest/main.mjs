// A setup file of Vitest: imports the entry of the worker, as test files do, and gives it to the environment.
import * as main from "ferroflare:main";

await globalThis[Symbol.for("ferroflare.isolation")].load(main);
