//! The pending alarms of one server, as far as this process knows them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::time::{Duration, Instant};

use super::registry::AlarmEntry;
use crate::alarm_index::AlarmIndex;
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::lock::lock;

/// How long the index entry of an alarm that is not set is kept. The writer of the entry may be about to set the
/// alarm; it writes the entry again each time it tries.
const ENTRY_KEPT: Duration = Duration::from_secs(60);

/// Binding and entry of an alarm: object id and name of the alarm.
type EntryKey = (ObjectKey, String);

/// What this process knows about alarms.
#[derive(Default)]
pub(crate) struct KnownAlarms {
    index: AlarmIndex,
    /// Objects whose alarm this process has changed since the last reading began.
    changed: Mutex<HashSet<ObjectKey>>,
    /// Objects whose alarm was not due: up to which time, and when the server said so.
    refused: Mutex<HashMap<ObjectKey, (i64, Instant)>>,
    /// When this process first saw each entry that it read last.
    first_seen: Mutex<HashMap<EntryKey, Instant>>,
}

/// What a reading of the server's index has found so far.
#[derive(Default)]
pub(crate) struct Reading {
    earliest: HashMap<ObjectKey, i64>,
    seen: HashMap<EntryKey, Instant>,
}

impl KnownAlarms {
    /// The pending alarms of objects with one of `names`, by time.
    pub(crate) fn pending(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        self.index.pending(names)
    }

    /// The earliest pending alarm of objects with one of `names`.
    pub(crate) fn first(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        self.index.first(names)
    }

    /// The pending alarms of objects with one of `names` that are due at `now_ms`, by time.
    pub(crate) fn due(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        self.index.due(names, now_ms)
    }

    /// This process has changed the alarm of an object.
    pub(crate) fn set(&self, key: &ObjectKey, alarm: Option<i64>) -> Result<()> {
        lock(&self.changed)?.insert(key.clone());
        self.index.set(key, alarm)
    }

    /// An alarm of the object is claimed here: none is due until [`Self::release`].
    pub(crate) fn withhold(&self, key: &ObjectKey) -> Result<()> {
        self.index.withhold(key)
    }

    /// Another process has claimed the object's alarm: it is not due until the server's index is read again.
    pub(crate) fn withhold_for_now(&self, key: &ObjectKey) -> Result<()> {
        self.index.refuse(key)
    }

    /// The claim of the object's alarm has ended.
    pub(crate) fn release(&self, key: &ObjectKey) -> Result<()> {
        self.index.release(key)
    }

    /// The server said at `now` that no alarm of the object is due by `due_ms`.
    pub(crate) fn refuse(&self, key: &ObjectKey, due_ms: i64, now: Instant) -> Result<()> {
        lock(&self.refused)?.insert(key.clone(), (due_ms, now));
        Ok(())
    }

    /// Begins to read the server's index.
    pub(crate) fn begin_reading(&self) -> Result<Reading> {
        lock(&self.changed)?.clear();
        Ok(Reading::default())
    }

    /// Takes over one entry of the server's index; false if the entry tells of no alarm and should be removed.
    pub(crate) fn read(
        &self,
        reading: &mut Reading,
        entry: &AlarmEntry,
        now: Instant,
    ) -> Result<bool> {
        let key = (entry.object.clone(), entry.alarm.clone());
        let first = lock(&self.first_seen)?.get(&key).copied().unwrap_or(now);
        let refused = lock(&self.refused)?.get(&entry.object).copied();
        if refused.is_some_and(|(due_ms, at)| entry.time <= due_ms && at > first + ENTRY_KEPT) {
            return Ok(false);
        }
        reading.seen.insert(key, first);
        let earliest = reading.earliest.entry(entry.object.clone()).or_insert(entry.time);
        *earliest = entry.time.min(*earliest);
        Ok(true)
    }

    /// Ends a reading. This process knows better about the objects that it has changed meanwhile, and about those
    /// that are `busy`: requests of them are under way.
    pub(crate) fn end_reading(&self, reading: Reading, busy: Vec<ObjectKey>) -> Result<()> {
        *lock(&self.first_seen)? = reading.seen;
        lock(&self.refused)?.retain(|key, _| reading.earliest.contains_key(key));
        let mut known_better = busy;
        known_better.extend(lock(&self.changed)?.iter().cloned());
        self.index.replace(&reading.earliest, &known_better)
    }
}
