/** The log of the command: the first start is not a reload. */
import { Log, type LogLevel } from "@miniflare/shared";

const RELOADED = /^Worker reloaded!(.*)$/;

/**
 * A log of Miniflare's class, which gives logs of their own to mounts. `ready()` says what was held back at the first
 * start; from then on each reload is a line.
 */
export function commandLog(level: LogLevel): { log: Log; ready: () => void } {
  const log = new Log(level);
  let started = false;
  let size = "";
  const info = (message: string) => Log.prototype.info.call(log, message);
  log.info = (message: string) => {
    const found = RELOADED.exec(message);
    if (found === null) info(message);
    else if (started) info(`Reloaded${found[1]}`);
    else size = found[1]!;
  };
  const ready = () => {
    started = true;
    info(`Ready${size}`);
  };
  return { log, ready };
}
