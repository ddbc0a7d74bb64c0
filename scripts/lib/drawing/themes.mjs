/** The colours of each drawing, for readers who prefer a light or a dark page, and its font. */

/** Any system's own font without serifs: an image in a page can load no other. */
export const FONT = "system-ui, sans-serif";

export const themes = {
  light: {
    background: "#ffffff",
    text: "#1f2328",
    muted: "#59636e",
    line: "#d1d9e0",
    panel: "#f6f8fa",
    first: "#0969da",
    second: "#8250df",
    slower: "#bc4c00",
  },
  dark: {
    background: "#0d1117",
    text: "#f0f6fc",
    muted: "#9198a1",
    line: "#3d444d",
    panel: "#151b23",
    first: "#4493f8",
    second: "#ab7df8",
    slower: "#f0883e",
  },
};
