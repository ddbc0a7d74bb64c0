/** Hands promises to programs, so that a failure which no program looks at is reported once. */

/**
 * A promise like `inner` for the program. Handlers of ours on `inner` do not count as the program's: Node.js reports a
 * rejection that the program does not handle. It reports none for which `isTold` says that the program hears of it anyway.
 */
export function handedOut<T>(
  inner: Promise<T>,
  isTold: (error: unknown) => boolean = () => false,
): Promise<T> {
  const given = inner.then(undefined, (error) => {
    if (isTold(error)) given.catch(nothing);
    throw error;
  });
  return given;
}

export function nothing(): void {}
