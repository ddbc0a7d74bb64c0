//! Ranges of keys: `start`, `startAfter`, `end`, `prefix`, `reverse` and `limit` folded into one type.

use std::ops::Bound;

use crate::key::{Entry, Key, prefix_end, successor};

/// The half-open range of keys `start <= key < end`, in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key of the range.
    pub start: Key,
    /// First key after the range; `None` for no upper bound.
    pub end: Option<Key>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self { start: Key::from([]), end: None }
    }

    /// Whether no key lies in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| self.start >= *end)
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        *self.start <= *key && self.end.as_ref().is_none_or(|end| *key < **end)
    }

    /// The bounds as `BTreeMap::range` takes them. It panics on an inverted range: test [`Self::is_empty`] first.
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let end = self.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(&self.start), end)
    }

    fn raise_start(&mut self, start: &[u8]) {
        if *self.start < *start {
            self.start = Key::from(start);
        }
    }

    fn lower_end(&mut self, end: &[u8]) {
        if self.end.as_ref().is_none_or(|old| *end < **old) {
            self.end = Some(Key::from(end));
        }
    }
}

/// The options of `list()`, in the user's terms.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions<'a> {
    /// First key, inclusive.
    pub start: Option<&'a [u8]>,
    /// First key, exclusive.
    pub start_after: Option<&'a [u8]>,
    /// Last key, exclusive.
    pub end: Option<&'a [u8]>,
    /// What each key starts with.
    pub prefix: Option<&'a [u8]>,
    /// Descending order.
    pub reverse: bool,
    /// Most entries; `None` for all.
    pub limit: Option<usize>,
}

/// One ordered walk over a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The keys to walk over.
    pub range: KeyRange,
    /// Descending order.
    pub reverse: bool,
    /// Most entries; `None` for all.
    pub limit: Option<usize>,
}

impl Scan {
    /// Folds the options into one walk. `start_after` is exclusive whatever the direction, as in production.
    pub fn new(options: &ListOptions<'_>) -> Self {
        let mut range = KeyRange::all();
        if let Some(start) = options.start {
            range.raise_start(start);
        }
        if let Some(after) = options.start_after {
            range.raise_start(&successor(after));
        }
        if let Some(end) = options.end {
            range.lower_end(end);
        }
        if let Some(prefix) = options.prefix {
            range.raise_start(prefix);
            if let Some(end) = prefix_end(prefix) {
                range.lower_end(&end);
            }
        }
        Self { range, reverse: options.reverse, limit: options.limit }
    }

    /// A walk over every key.
    pub fn all() -> Self {
        Self { range: KeyRange::all(), reverse: false, limit: None }
    }

    /// The same walk with room for `hidden` more entries, which newer writes may hide.
    #[must_use]
    pub fn widened(&self, hidden: usize) -> Self {
        Self { limit: self.limit.map(|limit| limit.saturating_add(hidden)), ..self.clone() }
    }

    /// Whether the walk can return nothing, whatever is stored.
    pub fn is_empty(&self) -> bool {
        self.limit == Some(0) || self.range.is_empty()
    }

    /// The part of the range that a walk with the result `entries` has seen. It is the whole range, or up to the last
    /// entry if the limit ended the walk. An insert beyond that part cannot change the result.
    pub fn covered(&self, entries: &[Entry]) -> KeyRange {
        let mut seen = self.range.clone();
        let ended_by_limit = self.limit.is_some_and(|limit| entries.len() >= limit);
        if let Some((last, _)) = entries.last()
            && ended_by_limit
        {
            if self.reverse {
                seen.start = last.clone();
            } else {
                seen.end = Some(Key::from(successor(last)));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(options: &ListOptions<'_>) -> Scan {
        Scan::new(options)
    }

    #[test]
    fn bounds_and_prefix_intersect() {
        let range = scan(&ListOptions {
            start: Some(b"ab"),
            end: Some(b"zz"),
            prefix: Some(b"a"),
            ..ListOptions::default()
        })
        .range;
        assert_eq!((&*range.start, range.end.as_deref()), (&b"ab"[..], Some(&b"b"[..])));
    }

    #[test]
    fn start_after_excludes_just_that_key() {
        let range = scan(&ListOptions { start_after: Some(b"a"), ..ListOptions::default() }).range;
        assert!(!range.contains(b"a"));
        assert!(range.contains(b"a\0"));
    }

    #[test]
    fn an_empty_end_and_an_inverted_range_hold_nothing() {
        assert!(scan(&ListOptions { end: Some(b""), ..ListOptions::default() }).is_empty());
        let inverted = ListOptions { start: Some(b"b"), end: Some(b"a"), ..ListOptions::default() };
        assert!(scan(&inverted).is_empty());
        assert!(scan(&ListOptions { limit: Some(0), ..ListOptions::default() }).is_empty());
    }

    #[test]
    fn a_prefix_of_highest_bytes_has_no_end() {
        let range =
            scan(&ListOptions { prefix: Some(&[255, 255]), ..ListOptions::default() }).range;
        assert_eq!(range.end, None);
        assert_eq!(prefix_end(&[b'a', 255]), Some(vec![b'b']));
    }

    #[test]
    fn a_limit_narrows_what_was_seen() {
        let entries = [(Key::from(*b"m"), Key::from(*b"v"))];
        let limited = ListOptions { limit: Some(1), ..ListOptions::default() };
        let seen = scan(&limited).covered(&entries);
        assert!(seen.contains(b"m") && seen.contains(b"a") && !seen.contains(b"n"));
        let seen = scan(&ListOptions { reverse: true, ..limited }).covered(&entries);
        assert!(seen.contains(b"m") && seen.contains(b"z") && !seen.contains(b"a"));
        let unfilled = scan(&ListOptions { limit: Some(2), ..limited }).covered(&entries);
        assert_eq!(unfilled, KeyRange::all());
    }
}
