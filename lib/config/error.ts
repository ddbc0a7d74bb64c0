/** The error of a configuration file: what is wrong, in which file, and what to do. */

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "ERR_CONFIG";
}
