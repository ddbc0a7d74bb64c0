// The differences that are rows of COMPAT.md: which a step shows, and steps that show each.

const NEWER = /parameter 1 is not of type 'Object'/;
const OLDER = /parameter 1 is not of type 'JsObject'/;

export const divergences = [
  {
    row: "modern-newer-texts",
    explains: ([kind], ours, theirs) => kind === "wrap" && NEWER.test(ours) && OLDER.test(theirs),
    shows: [["wrap", ["plain", 5]]],
  },
];
