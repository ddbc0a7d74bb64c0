//! Every limit of the storage API, as a number.
//!
//! Source: Miniflare 2.14.4 and Cloudflare's production limits. Only the default value limit is our own.

/// Longest key, in UTF-8 bytes.
pub const KEY_BYTES_MAX: usize = 2048;
/// Most keys or pairs in one `get`, `put` or `delete`, and most keys one transaction writes.
pub const KEYS_MAX: usize = 128;
/// Value limit unless configured, in bytes.
pub const VALUE_BYTES_DEFAULT: usize = 32 * 1024;
/// Largest value limit that can be configured, in bytes.
pub const VALUE_BYTES_CEILING: usize = 2 * 1024 * 1024;
/// Bytes over the value limit that are still accepted: room for the tags of V8's format.
pub const VALUE_BYTES_SLACK: usize = 32;

/// Latest time of a JavaScript `Date`, in milliseconds.
pub const DATE_MS_MAX: f64 = 8.64e15;

/// Most alarms of a binding that are read from a server at once: the earliest.
pub const ALARMS_READ_MAX: usize = 1_000;
