/**
 * `npm run test:matrix`: builds, then runs the JavaScript tests on each supported line of Node.js and on the newest
 * one. Runs also the environments of Jest and Vitest in every supported version of both. Options narrow it.
 *
 * Options (after `npm run test:matrix --`):
 *   --node 18,22      these lines or versions alone
 *   --promises        the tests of the promises S1 to S15 alone
 *   --filter PATTERN  the files whose name matches
 *   --no-build        tests what is built
 */
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { publishedVersions } from "./lib/node-versions.mjs";
import { runNode } from "./lib/process.mjs";
import { Failure, runMain } from "./lib/program.mjs";
import { Steps } from "./lib/steps.mjs";
import { testFiles, testOn } from "./lib/version-tests.mjs";
import { setup } from "./setup.mjs";

async function main() {
  const { wanted, promises, filter, noBuild } = readOptions();
  const steps = new Steps();
  if (!noBuild) {
    await setup();
    await build();
  }
  const published = await publishedVersions();
  const chosen = wanted
    ? wanted.map((text) => versionOf(text, published))
    : published.map(({ version }) => version);
  const files = testFiles({ promises, filter });
  for (const version of chosen)
    await steps.step(`Node.js ${version}`, () => testOn(version, files));
  if (!wanted && !promises && !filter) await steps.step("Jest and Vitest", testRunners);
  return steps.summarize();
}

function testRunners() {
  const name = "__test__/testing/matrix.mjs";
  return runNode([name], { name, minutesMax: 60 });
}

function versionOf(text, published) {
  if (/^\d+\.\d+\.\d+$/.test(text)) return text;
  const found = published.find(({ line }) => line === text);
  if (found) return found.version;
  const known = published.map(({ line }) => line).join(", ");
  throw new Failure(`--node ${text}: choose a full version, or of the lines ${known}.`);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        node: { type: "string" },
        promises: { type: "boolean", default: false },
        filter: { type: "string" },
        "no-build": { type: "boolean", default: false },
      },
    });
    return {
      wanted: values.node?.split(","),
      promises: values.promises,
      filter: values.filter && new RegExp(values.filter),
      noBuild: values["no-build"],
    };
  } catch (error) {
    throw new Failure(error.message);
  }
}

runMain(main);
