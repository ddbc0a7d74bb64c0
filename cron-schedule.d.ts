// Types of `cron-schedule`, which a package of Miniflare 2 refers to and which brings none: name "ferroflare/cron-schedule" in
// `types` of tsconfig.json where libraries are checked (skipLibCheck is off).
declare module "cron-schedule" {
  /** A parsed cron expression. */
  export interface Cron {
    getNextDate(startDate?: Date): Date;
    getPrevDate(startDate?: Date): Date;
    matchDate(date: Date): boolean;
  }

  /** What ends a scheduled task. */
  export interface ITimerHandle {
    timeoutId?: unknown;
  }
}
