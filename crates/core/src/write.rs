//! The writes of one commit.

use std::collections::BTreeMap;

use crate::key::{Key, Value};

/// What becomes of the alarm: a time in milliseconds, or none.
pub type AlarmWrite = Option<i64>;

/// Writes that happen together or not at all: first the clearing, then the entries, then the alarm.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    clear: bool,
    entries: BTreeMap<Key, Option<Value>>,
    alarm: Option<AlarmWrite>,
}

impl WriteBatch {
    /// Stores `value` under `key`.
    pub fn put(&mut self, key: Key, value: Value) {
        self.entries.insert(key, Some(value));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: Key) {
        self.entries.insert(key, None);
    }

    /// Removes every key, including those of this batch so far.
    pub fn clear(&mut self) {
        self.clear = true;
        self.entries.clear();
    }

    /// Sets (`Some`) or clears (`None`) the alarm.
    pub fn set_alarm(&mut self, alarm: AlarmWrite) {
        self.alarm = Some(alarm);
    }

    /// Whether the batch starts by removing every key.
    pub fn clears(&self) -> bool {
        self.clear
    }

    /// The keys written, in order, with their new values; `None` for a removal.
    pub fn entries(&self) -> &BTreeMap<Key, Option<Value>> {
        &self.entries
    }

    /// What becomes of the alarm; `None` when the batch leaves it alone.
    pub fn alarm(&self) -> Option<AlarmWrite> {
        self.alarm
    }

    /// Whether the batch changes nothing.
    pub fn is_empty(&self) -> bool {
        !self.clear && self.entries.is_empty() && self.alarm.is_none()
    }

    /// Takes the writes apart: whether to clear, the entries, the alarm.
    pub fn into_parts(self) -> (bool, BTreeMap<Key, Option<Value>>, Option<AlarmWrite>) {
        (self.clear, self.entries, self.alarm)
    }
}
