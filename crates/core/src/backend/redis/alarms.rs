//! The pending alarms of one server, as far as this process knows them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::time::{Duration, Instant};

use super::registry::AlarmEntry;
use crate::alarm_index::{AlarmIndex, AlarmReading};
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
    /// Objects whose alarm was not due: up to which time, and when the server said so.
    refused: Mutex<HashMap<ObjectKey, (i64, Instant)>>,
    /// When this process first saw each entry that it read last.
    first_seen: Mutex<HashMap<EntryKey, Instant>>,
    over: Mutex<OverAlarms>,
}

/// Alarms that are over though a reading may still find their entries.
#[derive(Default)]
struct OverAlarms {
    /// How many readings have begun.
    readings: u64,
    /// The entries. Once the server has removed an entry: how many readings had begun by then.
    entries: HashMap<EntryKey, Option<u64>>,
}

/// What a reading of the server's index has found so far.
pub(crate) struct Reading<'a> {
    number: u64,
    index: AlarmReading<'a>,
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

    /// An alarm is over, and its entry is about to be removed from the server's index.
    pub(crate) fn end(&self, key: &ObjectKey, alarm: &str) -> Result<()> {
        lock(&self.over)?.entries.insert((key.clone(), alarm.to_owned()), None);
        Ok(())
    }

    /// The server has answered the removal of an alarm's entry. An entry that is not removed counts again.
    pub(crate) fn entry_removed(&self, key: &ObjectKey, alarm: &str, removed: bool) -> Result<()> {
        let entry = (key.clone(), alarm.to_owned());
        let mut over = lock(&self.over)?;
        if removed {
            let readings = over.readings;
            over.entries.insert(entry, Some(readings));
        } else {
            over.entries.remove(&entry);
        }
        Ok(())
    }

    /// Begins to read the server's index.
    pub(crate) fn begin_reading(&self) -> Result<Reading<'_>> {
        let mut over = lock(&self.over)?;
        over.readings += 1;
        let number = over.readings;
        let index = self.index.begin_reading()?;
        Ok(Reading { number, index, earliest: HashMap::new(), seen: HashMap::new() })
    }

    /// Takes over one entry of the server's index; false if the entry tells of no alarm and should be removed.
    pub(crate) fn read(
        &self,
        reading: &mut Reading<'_>,
        entry: &AlarmEntry,
        now: Instant,
    ) -> Result<bool> {
        let key = (entry.object.clone(), entry.alarm.clone());
        if lock(&self.over)?.entries.contains_key(&key) {
            return Ok(true);
        }
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
    pub(crate) fn end_reading(&self, reading: Reading<'_>, busy: &[ObjectKey]) -> Result<()> {
        *lock(&self.first_seen)? = reading.seen;
        // A reading that began after the removal cannot have met the entry, and neither can a later one.
        let is_old =
            |removed: Option<u64>| removed.is_some_and(|readings| readings < reading.number);
        lock(&self.over)?.entries.retain(|_, removed| !is_old(*removed));
        lock(&self.refused)?.retain(|key, _| reading.earliest.contains_key(key));
        reading.index.end(&reading.earliest, busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(alarm: &str) -> AlarmEntry {
        let object = ObjectKey { name: "NAME".into(), id: "id".into() };
        AlarmEntry { object, time: 10, alarm: alarm.into() }
    }

    /// What a reading that finds `entries` leaves in the list.
    #[expect(clippy::disallowed_methods, reason = "a test is the caller that passes the time")]
    fn read(alarms: &KnownAlarms, mut reading: Reading<'_>, entries: &[&str]) -> usize {
        for alarm in entries {
            assert!(alarms.read(&mut reading, &entry(alarm), Instant::now()).unwrap());
        }
        alarms.end_reading(reading, &[]).unwrap();
        alarms.pending(&["NAME".into()]).unwrap().len()
    }

    #[test]
    fn a_reading_does_not_bring_back_an_alarm_that_is_over() {
        let alarms = KnownAlarms::default();
        let object = entry("old").object;
        alarms.end(&object, "old").unwrap();
        assert_eq!(read(&alarms, alarms.begin_reading().unwrap(), &["old"]), 0);
        let early = alarms.begin_reading().unwrap();
        alarms.entry_removed(&object, "old", true).unwrap();
        assert_eq!(read(&alarms, early, &["old"]), 0);
        let next = alarms.begin_reading().unwrap();
        assert_eq!(read(&alarms, next, &["new"]), 1);
        assert!(lock(&alarms.over).unwrap().entries.is_empty());
    }

    #[test]
    fn an_entry_that_the_server_did_not_remove_counts_again() {
        let alarms = KnownAlarms::default();
        let object = entry("old").object;
        alarms.end(&object, "old").unwrap();
        alarms.entry_removed(&object, "old", false).unwrap();
        assert_eq!(read(&alarms, alarms.begin_reading().unwrap(), &["old"]), 1);
    }
}
