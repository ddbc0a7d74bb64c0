//! What is inside the database of one object.
//!
//! Meta data and user keys share one ordered space and are told apart by their first byte. The version
//! is there from the first write on; the alarm only when it is set.

use crate::error::{Error, Result};

/// Version of the layout in a database and of the directory around it.
pub const FORMAT_VERSION: u32 = 1;

/// Under this key: the version, 32 bits, little endian.
pub const VERSION_KEY: &[u8] = b"\0version";
/// Under this key: the alarm in milliseconds, 64 bits, little endian.
pub const ALARM_KEY: &[u8] = b"\0alarm";
/// Before each user key.
const USER: u8 = 1;
/// First key after all user keys.
pub const USER_END: &[u8] = &[USER + 1];

/// A user key as it is stored.
pub fn stored_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(key.len() + 1);
    stored.push(USER);
    stored.extend_from_slice(key);
    stored
}

/// The user key behind a stored one.
pub fn user_key(stored: &[u8]) -> Result<&[u8]> {
    match stored.split_first() {
        Some((&USER, key)) => Ok(key),
        _ => Err(Error::Internal("a stored key is no user key".into())),
    }
}

/// Reads a version; none if it is cut short.
pub fn version_of(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Reads an alarm; none if it is cut short.
pub fn alarm_of(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}
