//! Packs several keys and values into one buffer, so that a batch or a list crosses the border once.
//!
//! The length of each byte string comes before it: 32 bits, little endian.

use std::sync::Arc;

use ferroflare_core::key::{Entry, Key, Value};

const LENGTH_BYTES: usize = 4;

/// Takes length-prefixed byte strings off a buffer that JavaScript has packed.
pub(crate) struct Unpack<'a>(pub(crate) &'a [u8]);

impl<'a> Unpack<'a> {
    /// The next byte string; an error if the buffer ends too early.
    pub(crate) fn bytes(&mut self) -> napi::Result<&'a [u8]> {
        self.take().ok_or_else(cut_short)
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> napi::Result<f64> {
        let (number, rest) = self.0.split_first_chunk().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(f64::from_le_bytes(*number))
    }

    /// Every key that is left.
    pub(crate) fn keys(mut self) -> napi::Result<Vec<Key>> {
        let mut keys = Vec::new();
        while !self.0.is_empty() {
            keys.push(Arc::from(self.bytes()?));
        }
        Ok(keys)
    }

    /// Every pair that is left.
    pub(crate) fn pairs(mut self) -> napi::Result<Vec<(&'a [u8], &'a [u8])>> {
        let mut pairs = Vec::new();
        while !self.0.is_empty() {
            pairs.push((self.bytes()?, self.bytes()?));
        }
        Ok(pairs)
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<LENGTH_BYTES>()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn cut_short() -> napi::Error {
    napi::Error::from_reason("Internal error in ferroflare: a packed buffer is cut short.")
}

/// Packs a list: key, value, key, value...
pub(crate) fn pack_entries(entries: &[Entry]) -> Vec<u8> {
    let size = |(key, value): &Entry| key.len() + value.len() + 2 * LENGTH_BYTES;
    let mut packed = Vec::with_capacity(entries.iter().map(size).sum());
    for (key, value) in entries {
        push(&mut packed, key);
        push(&mut packed, value);
    }
    packed
}

/// Packs strings.
pub(crate) fn pack_texts(texts: &[Arc<str>]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(texts.iter().map(|text| text.len() + LENGTH_BYTES).sum());
    for text in texts {
        push(&mut packed, text.as_bytes());
    }
    packed
}

/// Packs the values that were found: for each the position of its key in the request, then the value.
pub(crate) fn pack_found(values: &[Option<Value>]) -> Vec<u8> {
    let size = values.iter().flatten().map(|value| value.len() + 2 * LENGTH_BYTES).sum();
    let mut packed = Vec::with_capacity(size);
    for (place, value) in values.iter().enumerate() {
        if let Some(value) = value {
            packed.extend_from_slice(&length_prefix(place));
            push(&mut packed, value);
        }
    }
    packed
}

fn push(packed: &mut Vec<u8>, bytes: &[u8]) {
    packed.extend_from_slice(&length_prefix(bytes.len()));
    packed.extend_from_slice(bytes);
}

fn length_prefix(length: usize) -> [u8; LENGTH_BYTES] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}
