//! Remembers what was written since the oldest running attempt started.

use std::collections::{BTreeMap, VecDeque};

use super::Sequence;
use super::read_set::ReadSet;
use crate::key::Key;
use crate::range::KeyRange;
use crate::write_batch::WriteBatch;

/// Superseded entries that the log may hold before it drops them.
const ORDER_SLACK: usize = 64;

/// The write sets of past commits, indexed by key.
///
/// **Trim rule:** an entry is kept exactly as long as an attempt runs that started before it. There is no fixed window of
/// commits. While no attempt runs, the log is empty and commits cost nothing.
#[derive(Debug, Default)]
pub struct CommitLog {
    /// The newest commit that wrote each key. Commits that no running attempt can meet are not in it.
    last_writer: BTreeMap<Key, Sequence>,
    /// The same commits, oldest first: what to forget next. A key that was written again stays until its newest entry is
    /// forgotten.
    order: VecDeque<(Sequence, Key)>,
    /// The newest commit that deleted everything.
    cleared_at: Sequence,
    /// The newest commit that wrote the alarm.
    alarm_at: Sequence,
    /// How many running attempts started after each commit.
    running: BTreeMap<Sequence, usize>,
}

impl CommitLog {
    /// Registers an attempt that starts after commit `start`.
    pub fn begin(&mut self, start: Sequence) {
        *self.running.entry(start).or_insert(0) += 1;
    }

    /// Forgets an attempt, and every write that no other attempt can meet any more.
    pub fn end(&mut self, start: Sequence) {
        if let Some(count) = self.running.get_mut(&start) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&start);
            }
        }
        self.trim();
    }

    /// Whether commits have to be recorded, because an attempt runs.
    pub fn is_needed(&self) -> bool {
        !self.running.is_empty()
    }

    /// Records commit `sequence`.
    pub fn record(&mut self, sequence: Sequence, writes: &WriteBatch) {
        if self.running.is_empty() {
            return;
        }
        if writes.clears() {
            self.cleared_at = sequence;
        }
        if writes.alarm().is_some() {
            self.alarm_at = sequence;
        }
        for key in writes.entries().keys() {
            self.last_writer.insert(key.clone(), sequence);
            self.order.push_back((sequence, key.clone()));
        }
        // A key that is written again and again during a long attempt must not fill the memory.
        if self.order.len() > 2 * self.last_writer.len() + ORDER_SLACK {
            self.order.retain(|(at, key)| self.last_writer.get(key) == Some(at));
        }
    }

    /// Makes every attempt that started before `sequence` conflict with all that it has read.
    pub fn invalidate(&mut self, sequence: Sequence) {
        self.cleared_at = sequence;
        self.alarm_at = sequence;
    }

    /// Names one thing of `read_set` that was written after `start`, for errors.
    pub fn conflict(&self, read_set: &ReadSet, start: Sequence) -> Option<String> {
        self.keys_conflict(read_set.keys.iter(), start)
            .or_else(|| read_set.ranges.iter().find_map(|range| self.range_conflict(range, start)))
            .or_else(|| read_set.alarm.then(|| self.alarm_conflict(start)).flatten())
    }

    /// Names one of `keys` that was written after `start`.
    pub fn keys_conflict<'a>(
        &self,
        mut keys: impl Iterator<Item = &'a Key>,
        start: Sequence,
    ) -> Option<String> {
        keys.find(|key| self.newer(self.last_writer.get(*key), start)).map(|key| name_of(key))
    }

    /// Names one key in `range` that was written after `start`.
    pub fn range_conflict(&self, range: &KeyRange, start: Sequence) -> Option<String> {
        if range.is_empty() {
            return None;
        }
        if self.cleared_at > start {
            return Some("every key".into());
        }
        let mut written = self.last_writer.range::<[u8], _>(range.bounds());
        written.find(|(_, at)| **at > start).map(|(key, _)| name_of(key))
    }

    /// Names the alarm if it was written after `start`.
    pub fn alarm_conflict(&self, start: Sequence) -> Option<String> {
        (self.alarm_at > start).then(|| "the alarm".into())
    }

    fn newer(&self, written: Option<&Sequence>, start: Sequence) -> bool {
        self.cleared_at > start || written.is_some_and(|at| *at > start)
    }

    fn trim(&mut self) {
        let Some((&oldest, _)) = self.running.first_key_value() else {
            self.last_writer.clear();
            self.order.clear();
            return;
        };
        while let Some((at, _)) = self.order.front()
            && *at <= oldest
        {
            let Some((at, key)) = self.order.pop_front() else {
                break;
            };
            if self.last_writer.get(&key) == Some(&at) {
                self.last_writer.remove(&key);
            }
        }
    }

    /// How many writes are remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.order.len().max(self.last_writer.len())
    }
}

fn name_of(key: &[u8]) -> String {
    format!("key \"{}\"", String::from_utf8_lossy(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{ListOptions, Scan};

    fn key(name: &str) -> Key {
        Key::from(name.as_bytes())
    }

    fn put(name: &str) -> WriteBatch {
        let mut batch = WriteBatch::default();
        batch.put(key(name), key("value"));
        batch
    }

    fn read(name: &str) -> ReadSet {
        ReadSet { keys: [key(name)].into(), ..ReadSet::default() }
    }

    #[test]
    fn remembers_nothing_while_no_attempt_runs() {
        let mut log = CommitLog::default();
        log.record(1, &put("a"));
        assert_eq!(log.remembered(), 0);
    }

    #[test]
    fn a_long_attempt_meets_any_number_of_later_commits() {
        let mut log = CommitLog::default();
        log.begin(0);
        log.record(1, &put("a"));
        for sequence in 2..1000 {
            log.record(sequence, &put("b"));
        }
        assert!(log.conflict(&read("a"), 0).is_some());
        assert!(log.conflict(&read("c"), 0).is_none());
    }

    #[test]
    fn forgets_what_no_running_attempt_can_meet() {
        let mut log = CommitLog::default();
        log.begin(0);
        log.record(1, &put("a"));
        log.begin(1);
        log.record(2, &put("b"));
        log.end(0);
        assert_eq!(log.remembered(), 1);
        assert!(log.conflict(&read("b"), 1).is_some());
        log.end(1);
        assert_eq!(log.remembered(), 0);
    }

    #[test]
    fn a_key_written_twice_is_remembered_by_its_newest_write() {
        let mut log = CommitLog::default();
        log.begin(0);
        log.record(1, &put("a"));
        log.begin(1);
        log.record(2, &put("a"));
        log.end(0);
        assert!(log.conflict(&read("a"), 1).is_some());
    }

    #[test]
    fn an_insert_into_a_listed_range_conflicts() {
        let mut log = CommitLog::default();
        log.begin(0);
        log.record(1, &put("item:5"));
        let listed = |prefix: &[u8]| ReadSet {
            ranges: vec![
                Scan::new(&ListOptions { prefix: Some(prefix), ..ListOptions::default() }).range,
            ],
            ..ReadSet::default()
        };
        assert!(log.conflict(&listed(b"item:"), 0).is_some());
        assert!(log.conflict(&listed(b"other:"), 0).is_none());
    }

    #[test]
    fn delete_all_conflicts_with_every_read_but_the_alarm() {
        let mut log = CommitLog::default();
        log.begin(0);
        let mut clear = WriteBatch::default();
        clear.clear();
        log.record(1, &clear);
        assert!(log.conflict(&read("a"), 0).is_some());
        let all = ReadSet { ranges: vec![KeyRange::all()], ..ReadSet::default() };
        assert!(log.conflict(&all, 0).is_some());
        assert!(log.conflict(&ReadSet { alarm: true, ..ReadSet::default() }, 0).is_none());
    }
}
