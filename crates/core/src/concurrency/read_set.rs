//! What an attempt has read of the committed state.

use std::collections::BTreeSet;

use crate::key::Key;
use crate::range::KeyRange;

/// Read set of one attempt. Reads that its own writes answered are not in it.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// Keys read one by one, whether they existed or not.
    pub keys: BTreeSet<Key>,
    /// Ranges listed, as far as the lists went.
    pub ranges: Vec<KeyRange>,
    /// Whether the alarm was read.
    pub alarm: bool,
}

impl Footprint {
    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty() && !self.alarm
    }

    /// Adds a listed range, unless a range that was listed before holds all of it.
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
