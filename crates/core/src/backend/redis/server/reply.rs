//! Reads the replies of Redis.

use redis::Value as Reply;

use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};

fn unexpected(reply: &impl std::fmt::Debug) -> Error {
    let shown: String = format!("{reply:?}").chars().take(200).collect();
    Error::RedisAnswer { shown }
}

/// The elements of an array.
pub(crate) fn words(reply: Reply) -> Result<Vec<Reply>> {
    match reply {
        Reply::Array(words) => Ok(words),
        other => Err(unexpected(&other)),
    }
}

/// An element that is text.
pub(crate) fn text(reply: Option<Reply>) -> Result<String> {
    match reply {
        Some(Reply::BulkString(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Some(Reply::SimpleString(text)) => Ok(text),
        Some(Reply::Okay) => Ok("OK".into()),
        Some(Reply::Int(number)) => Ok(number.to_string()),
        Some(Reply::Nil) => Ok(String::new()),
        other => Err(unexpected(&other)),
    }
}

/// An element that is bytes or nil.
pub(crate) fn value(reply: Reply) -> Result<Option<Value>> {
    match reply {
        Reply::BulkString(bytes) => Ok(Some(Value::from(bytes))),
        Reply::Nil => Ok(None),
        other => Err(unexpected(&other)),
    }
}

/// The values of so many keys: bytes or nil for each.
pub(crate) fn values(
    words: impl Iterator<Item = Reply>,
    count: usize,
) -> Result<Vec<Option<Value>>> {
    let values = words.map(value).collect::<Result<Vec<_>>>()?;
    if values.len() != count {
        return Err(unexpected(&format!("{} values for {count} keys", values.len())));
    }
    Ok(values)
}

/// The pairs of a reply that holds key, value, key, value...
pub(crate) fn entries(words: impl Iterator<Item = Reply>) -> Result<Vec<Entry>> {
    let mut words = words;
    let mut entries = Vec::new();
    while let Some(key) = words.next() {
        let (Some(key), Some(found)) = (value(key)?, words.next()) else {
            return Err(unexpected(&"an entry without a key"));
        };
        if let Some(found) = value(found)? {
            entries.push((Key::from(&*key), found));
        }
    }
    Ok(entries)
}

/// A time in milliseconds; an empty text or nil is no time.
pub(crate) fn time(reply: Reply) -> Result<Option<i64>> {
    let text = text(Some(reply))?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| unexpected(&text))
}

/// The flags of a text with a `1` or a `0` for each.
pub(crate) fn flags(text: &str) -> Vec<bool> {
    text.bytes().map(|flag| flag == b'1').collect()
}

/// The first word of a reply: `ok`, `wait`, `stale`...
pub(crate) fn first(words: &[Reply]) -> Result<String> {
    text(words.first().cloned())
}

/// Whether a reply begins with that word, as with `wait` while another attempt has its turn.
pub(crate) fn begins_with(reply: &Reply, first: &str) -> bool {
    let Reply::Array(words) = reply else {
        return false;
    };
    matches!(words.first(), Some(Reply::BulkString(word)) if word == first.as_bytes())
}
