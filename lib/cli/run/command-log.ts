/** The log of the command: the first start is not a reload, neither of the worker nor of a mount. */
import { Log, type LogLevel } from "@miniflare/shared";

const RELOADED = /^Worker reloaded!(.*)$/;

interface CommandLog {
  log: Log;
  /** Says what was held back at the first start. From then on each reload is a line. */
  ready(): void;
  /** The first start has failed: each worker says that it is ready when it runs. */
  wait(): void;
}

/** A log of Miniflare's own class: it gives logs of that class to mounts, so all of them are changed. */
export function commandLog(level: LogLevel): CommandLog {
  const { info } = Log.prototype;
  /** The sizes that logs have been told before the start was over. */
  const held = new Map<Log, string>();
  const started = new Set<Log>();
  let isStarting = true;
  const say = (log: Log, size: string) => {
    info.call(log, `${started.has(log) ? "Reloaded" : "Ready"}${size}`);
    started.add(log);
  };
  Log.prototype.info = function (this: Log, message: string) {
    const found = RELOADED.exec(message);
    if (found === null) info.call(this, message);
    else if (isStarting) held.set(this, found[1]!);
    else say(this, found[1]!);
  };
  const ready = () => {
    isStarting = false;
    for (const [log, size] of held) say(log, size);
  };
  const wait = () => {
    isStarting = false;
  };
  return { log: new Log(level), ready, wait };
}
