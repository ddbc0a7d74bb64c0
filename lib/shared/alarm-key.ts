/**
 * The key under which Miniflare 2 stores alarms. Here the alarm is no key, but old data and the public API have the
 * name.
 */
export const ALARM_KEY = "__MINIFLARE_ALARMS__";
