// Books that both suites begin with.
export const BOOKS = [
  { title: "The Dispossessed", author: "Le Guin", year: 1974, tags: ["novel"] },
  { title: "The Left Hand of Darkness", author: "Le Guin", year: 1969 },
  { title: "Solaris", author: "Lem", year: 1961, tags: ["novel", "ocean"] },
];
