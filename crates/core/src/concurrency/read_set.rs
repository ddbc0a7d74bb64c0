//! What an attempt has read of the committed state.

use std::collections::BTreeSet;

use crate::key::Key;
use crate::range::KeyRange;

/// The read set of one attempt. It leaves out reads that the attempt's own writes answered.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    /// Keys read one by one, whether they existed or not.
    pub keys: BTreeSet<Key>,
    /// Ranges listed, each as far as its list went.
    pub ranges: Vec<KeyRange>,
    /// Whether the alarm was read.
    pub alarm: bool,
}

impl ReadSet {
    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty() && !self.alarm
    }

    /// Adds a listed range, unless an earlier range contains all of it.
    pub fn add_range(&mut self, range: KeyRange) {
        let held = self.ranges.iter().any(|known| {
            known.start <= range.start
                && match (&known.end, &range.end) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(known), Some(new)) => new <= known,
                }
        });
        if !held && !range.is_empty() {
            self.ranges.push(range);
        }
    }
}
