// Reads the sentences of comments and documents, each with its line and its number of words.

/** A line that is a table, an option with its meaning, or the arguments of a script: no sentence. */
const NO_SENTENCE = /^(\||ARGV|Returns \{|--\w+[ =])|\S {3,}\S/;
const LIST_ITEM = /^([-*] |\d+\. |#+ |ARGV|Returns \{|--\w)/;

/** The sentences of a file, `{ line, words, text }`. */
export function sentencesOf(file, content) {
  const paragraphs = file.endsWith(".md") ? markdownParagraphs(content) : comments(file, content);
  return paragraphs.flatMap(({ line, text }) =>
    split(text).map((sentence) => ({ line, words: countWords(sentence), text: sentence })),
  );
}

/** Code in backquotes is one word, whatever is in it. */
function split(text) {
  const plain = text
    .replace(/`[^`]*`/g, "CODE")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>\s][^>]*>/g, "");
  return plain.split(/(?<=[.!?]["”)*]*)\s+(?=["(*[A-Z0-9])/);
}

function countWords(sentence) {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Joins lines to paragraphs. `add("")` ends one. */
class Paragraphs {
  found = [];
  #lines = [];
  #start = 0;

  add(text, line) {
    if (text === "" || LIST_ITEM.test(text)) this.#end();
    if (text === "") return;
    if (this.#lines.length === 0) this.#start = line;
    this.#lines.push(text.replace(/^([-*]|\d+\.|#+) /, ""));
  }

  #end() {
    const text = this.#lines.join(" ");
    if (text !== "") this.found.push({ line: this.#start, text });
    this.#lines = [];
  }
}

/** Leaves out code and what is drawn. Each part of a cell of a table is a paragraph: cells are lists. */
function markdownParagraphs(content) {
  const paragraphs = new Paragraphs();
  let hidden;
  for (const [i, line] of [...content.split("\n"), ""].entries()) {
    const text = line.trim();
    if (hidden !== undefined) {
      if (hidden.test(text)) hidden = undefined;
    } else if (text.startsWith("```")) hidden = /^```/;
    else if (text.startsWith("<!-- drawn")) hidden = /^<!-- end/;
    else if (text.startsWith("|")) {
      for (const part of text.split(/\||; /)) {
        paragraphs.add("", i);
        paragraphs.add(part.trim(), i + 1);
      }
      paragraphs.add("", i);
      continue;
    } else {
      paragraphs.add(text, i + 1);
      continue;
    }
    paragraphs.add("", i);
  }
  return paragraphs.found;
}

/** Comments that are lines of their own. */
function comments(file, content) {
  const mark = file.endsWith(".lua") ? /^--(?: (.*)|$)/ : /^\/\/[/!]?(?: (.*)|$)/;
  const paragraphs = new Paragraphs();
  let inside = false;
  let wasText = false;
  for (const [i, line] of [...content.split("\n"), ""].entries()) {
    const text = line.trim();
    const opens = !inside && text.startsWith("/*");
    let comment = mark.exec(text)?.[1];
    if (inside || opens) {
      inside = !text.includes("*/");
      comment = text.replace(/^\/?\*+ ?/, "").replace(/\s*\*+\/.*$/, "");
    }
    const goesOn = comment !== undefined && (wasText || !comment.startsWith("  "));
    wasText = goesOn && !NO_SENTENCE.test(comment);
    paragraphs.add(wasText ? comment.trim() : "", i + 1);
    if (text.endsWith("*/")) paragraphs.add("", i);
  }
  return paragraphs.found;
}
