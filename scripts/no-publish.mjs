/** Keeps `npm publish` from publishing a clone: its manifest names no platform packages (see `lib/packages.mjs`). */
import { Failure, runMain } from "./lib/program.mjs";

runMain(() => {
  throw new Failure("Publish the tarballs that `npm run pack -- --all` makes, not the clone.");
});
