// The differences that are rows of COMPAT.md: which step shows one, and programs that show each.

/** `{ row, explains(difference), shows }`: a difference is `{ step, ours, theirs }`, both answers as JSON. */
export const divergences = [];
