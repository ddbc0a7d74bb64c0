//! The writes of one commit.

use std::collections::BTreeMap;

use crate::key::{Key, Value};
use crate::range::KeyRange;

/// The new alarm: a time in milliseconds, or none.
pub type AlarmWrite = Option<i64>;

/// Writes that happen together or not at all: first the clearing, then the entries, then the alarm.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    clear: bool,
    entries: BTreeMap<Key, Option<Value>>,
    alarm: Option<AlarmWrite>,
    turn: Option<TurnId>,
}

/// Names a turn of the event loop whose writes may be taken back as long as it lasts. No two turns have one name.
pub type TurnId = u64;

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

    /// Lets the batch be taken back while that turn of the event loop lasts.
    pub fn belongs_to(&mut self, turn: TurnId) {
        self.turn = Some(turn);
    }

    /// The turn of the event loop while which the batch may be taken back.
    pub fn turn(&self) -> Option<TurnId> {
        self.turn
    }

    /// Whether the batch starts by removing every key.
    pub fn clears(&self) -> bool {
        self.clear
    }

    /// The keys written, in order, with their new values; `None` for a removal.
    pub fn entries(&self) -> &BTreeMap<Key, Option<Value>> {
        &self.entries
    }

    /// The writes to keys of `range`, in order.
    pub fn entries_in(&self, range: &KeyRange) -> Vec<(Key, Option<Value>)> {
        if range.is_empty() {
            return Vec::new();
        }
        let written = self.entries.range::<[u8], _>(range.bounds());
        written.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The new alarm; `None` if the batch leaves the alarm as it is.
    pub fn alarm(&self) -> Option<AlarmWrite> {
        self.alarm
    }

    /// Whether the batch stores nothing, so that it changes nothing in an empty object.
    pub fn only_removes(&self) -> bool {
        self.entries.values().all(Option::is_none) && !matches!(self.alarm, Some(Some(_)))
    }

    /// Adds later writes.
    pub fn append(&mut self, later: Self) {
        if later.clear {
            self.clear();
        }
        self.entries.extend(later.entries);
        self.alarm = later.alarm.or(self.alarm);
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
