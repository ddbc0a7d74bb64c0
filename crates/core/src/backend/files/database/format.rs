//! What is inside the database of one object.
//!
//! Meta data and user keys share one ordered space. Their first byte distinguishes them. The version exists from the first
//! write on, the alarm only while it is set.

use crate::error::{Error, Result};

/// Version of the layout in a database and of the directory around it.
pub const FORMAT_VERSION: u32 = 1;

/// The key of the version, 32 bits, little endian.
pub const VERSION_KEY: &[u8] = b"\0version";
/// The key of the alarm in milliseconds, 64 bits, little endian.
pub const ALARM_KEY: &[u8] = b"\0alarm";
/// The first byte of each stored user key.
const USER: u8 = 1;
/// The first key after all user keys.
pub const USER_END: &[u8] = &[USER + 1];

/// A user key as it is stored.
pub fn stored_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(key.len() + 1);
    stored.push(USER);
    stored.extend_from_slice(key);
    stored
}

/// The user key of a stored key.
pub fn user_key(stored: &[u8]) -> Result<&[u8]> {
    match stored.split_first() {
        Some((&USER, key)) => Ok(key),
        _ => Err(Error::Internal("a stored key is not a user key".into())),
    }
}

/// Reads a version; `None` if it is cut short.
pub fn version_of(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Reads an alarm; `None` if it is cut short.
pub fn alarm_of(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}
