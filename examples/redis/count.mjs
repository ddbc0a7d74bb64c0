// Counts in the object on its own: what each of the two processes does.
import { Miniflare } from "ferroflare";
import { options } from "./counter.mjs";

const [url, times] = process.argv.slice(2);
const mf = new Miniflare(options(url));
for (let i = 0; i < Number(times); i++) await (await mf.dispatchFetch("http://localhost/")).text();
await mf.dispose();
