/** Finds members that packages of Miniflare 2 keep under symbols which they do not export. */

/** Returns the symbol with that description among the own members of `holder`. */
export function symbolOf(holder: object, description: string): symbol {
  const found = Object.getOwnPropertySymbols(holder).find(
    (symbol) => symbol.description === description,
  );
  if (found === undefined) {
    throw new Error(
      `Cannot find the member ${description} of Miniflare's ${holder.constructor.name}: this package works with version 2. Install the @miniflare packages in version 2.14.4.`,
    );
  }
  return found;
}
