//! Keys and values as shared bytes.
//!
//! A key is the UTF-8 form of a JavaScript string, and keys are ordered by these bytes. As in production, lone surrogates
//! have become U+FFFD before a key gets here.

use std::sync::Arc;

/// A key, in UTF-8. Ordering is by bytes.
pub type Key = Arc<[u8]>;
/// A value, in V8's serialization format. The core never looks inside.
pub type Value = Arc<[u8]>;
/// A stored pair.
pub type Entry = (Key, Value);

/// The first key after `key` in byte order.
pub fn successor(key: &[u8]) -> Vec<u8> {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next
}

/// The first byte string after all those that start with `prefix`; `None` if no such string exists.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
