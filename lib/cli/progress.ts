/** Says on a terminal how far work has come that takes longer than a second. */

const PERIOD_MS = 1000;
const CLEAR_LINE = "\r\x1b[K";

/**
 * Calls `work`, and shows meanwhile what `text` says, in one line of standard error that is gone at the end. Nothing is
 * shown where standard error is no terminal.
 */
export async function withProgress<T>(text: () => string, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work();
  let shown = false;
  const timer = setInterval(() => {
    shown = true;
    process.stderr.write(`${CLEAR_LINE}${text()} …`);
  }, PERIOD_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (shown) process.stderr.write(CLEAR_LINE);
  }
}
