//! Takes the answers of Redis apart.

use redis::Value as Answer;

use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};

fn unexpected(answer: &impl std::fmt::Debug) -> Error {
    let shown: String = format!("{answer:?}").chars().take(200).collect();
    Error::Internal(format!("Redis has given an unexpected answer: {shown}"))
}

/// The elements of an array.
pub(super) fn words(answer: Answer) -> Result<Vec<Answer>> {
    match answer {
        Answer::Array(words) => Ok(words),
        other => Err(unexpected(&other)),
    }
}

/// An element that is text.
pub(super) fn text(answer: Option<Answer>) -> Result<String> {
    match answer {
        Some(Answer::BulkString(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Some(Answer::SimpleString(text)) => Ok(text),
        Some(Answer::Okay) => Ok("OK".into()),
        Some(Answer::Int(number)) => Ok(number.to_string()),
        Some(Answer::Nil) => Ok(String::new()),
        other => Err(unexpected(&other)),
    }
}

/// An element that is bytes, or nothing.
pub(super) fn value(answer: Answer) -> Result<Option<Value>> {
    match answer {
        Answer::BulkString(bytes) => Ok(Some(Value::from(bytes))),
        Answer::Nil => Ok(None),
        other => Err(unexpected(&other)),
    }
}

/// Key, value, key, value...
pub(super) fn entries(words: impl Iterator<Item = Answer>) -> Result<Vec<Entry>> {
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

/// A time in milliseconds, or nothing.
pub(super) fn time(answer: Answer) -> Result<Option<i64>> {
    let text = text(Some(answer))?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| unexpected(&text))
}

/// A `1` or a `0` for each question.
pub(super) fn flags(text: &str) -> Vec<bool> {
    text.bytes().map(|flag| flag == b'1').collect()
}
