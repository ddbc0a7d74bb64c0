// Many objects at the same moment in memory: see support/many.mjs.
import { testManyObjects } from "../support/many.mjs";

testManyObjects("memory", {}, { lasts: false });
