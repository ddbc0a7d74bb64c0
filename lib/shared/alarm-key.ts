/** What Miniflare 2 files alarms under. Here the alarm is no key; old data and the public API still have the name. */
export const ALARM_KEY = "__MINIFLARE_ALARMS__";
