// Draws programs of the comparison of hibernating WebSockets: steps of a few clients of one object, as JSON.

const LABELS = ["a", "b", "c"];
const TAGS = ["x", "y", "", "5", "null", "é"];
const CHECKS = [
  ..."noSocket number pair tagsText tagsNull tagsSet tagSymbol tags11 tags10AndOne tag257 tag129".split(
    " ",
  ),
  ..."accepted peerAccepted tagsOfNothing tagsOfNew tagsOfAccepted byNumber byNull bySymbol".split(
    " ",
  ),
  ..."pairNone pairOne pairSymbol pairCalled pairParts autoNumber autoNull autoPlain".split(" "),
  ..."autoLongRequest autoLongResponse stampOfNothing stampOfNew serializeNothing".split(" "),
  ..."serializeOther deserializeNew".split(" "),
];
const TIMEOUTS =
  "none nil zero one fraction text word nan below infinite week over wide yes big object".split(
    " ",
  );
const VALUES = "list map object nothing nil error date fits large fn symbol".split(" ");

const label = (r) => r.pick(LABELS);
const closing = (r) =>
  r.pick([[], [1000], [1000, ""], [1000, "bye"], [3001, "é"], [4999, "x".repeat(123)]]);
/** What an object may try, and is refused. */
const wrongClosing = (r) => r.pick([[1005], [1006], [999], [5000], [1015], [undefined, "x"]]);

const message = (r) =>
  r.weighted([
    [4, () => `echo:${r.below(9)}`],
    [2, () => `all:${r.below(9)}`],
    [2, () => `put:${r.below(9)}`],
    [2, () => "get"],
    [2, () => "ping"],
    [2, () => r.pick(["", "plain", "é😀", "pong"])],
    [1, () => r.pick(["throw", "reject"])],
    [1, () => r.pick(["close:3001:bye", "close", "twice", "close:1005:no", "close:1000"])],
  ])();

const STEPS = [
  [6, (r) => ["open", label(r), r.chance(0.3) ? null : r.many(0, 3, () => r.pick(TAGS))]],
  [10, (r) => ["say", label(r), message(r)]],
  [3, (r) => ["burst", label(r), r.many(2, 6, () => `echo:${r.below(9)}`)]],
  [2, (r) => ["bytes", label(r), r.many(0, 4, () => r.below(256))]],
  [3, (r) => ["leave", label(r), closing(r)]],
  [3, (r) => ["ask", "labels", ...(r.chance(0.3) ? [] : [r.pick(TAGS)])]],
  [2, () => ["ask", "states"]],
  [2, (r) => ["ask", "tags", label(r)]],
  [
    3,
    (r) => ["ask", "auto", ...r.pick([["ping", "pong"], ["ping", "other"], ["é😀", "x"], [null]])],
  ],
  [1, () => ["ask", "getAuto"]],
  [2, (r) => ["ask", "stamp", label(r)]],
  [3, (r) => ["ask", "attach", label(r), r.pick(VALUES)]],
  [3, (r) => ["ask", "attached", label(r)]],
  [2, (r) => ["ask", "send", label(r), "from the object"]],
  [2, (r) => ["ask", "close", label(r), r.chance(0.7) ? closing(r) : wrongClosing(r)]],
  [1, (r) => ["ask", "accept", label(r)]],
  [1, (r) => ["ask", "setAnswers", r.chance(0.6)]],
  [4, (r) => ["ask", "check", r.pick(CHECKS)]],
  [2, (r) => ["ask", "timeout", r.pick(TIMEOUTS)]],
];

/** A program on an object of its own. A label is opened once: the object could not tell two of one label apart. */
export function program(random, name) {
  const opened = new Set();
  const drawn = random.many(15, 30, () => random.weighted(STEPS)(random));
  const steps = drawn.flatMap((step) => {
    const [kind, ...rest] = step;
    if (kind === "open") {
      if (opened.has(rest[0])) return [];
      opened.add(rest[0]);
    }
    return [step];
  });
  return {
    name,
    steps: [
      ["open", "a", ["x"]],
      ...steps.filter(([kind, at]) => !(kind === "open" && at === "a")),
    ],
  };
}
