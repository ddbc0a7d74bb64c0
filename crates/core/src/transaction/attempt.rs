//! One run of a transaction's closure over one object: what it has read, and what it will write.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::answer::Answer;
use crate::backend::{CommitOutcome, Conflict, ObjectStorage, ReadView, Snapshot, Start};
use crate::checks;
use crate::concurrency::ReadSet;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::lock::lock;
use crate::merge::merge;
use crate::range::Scan;
use crate::write_batch::{AlarmWrite, WriteBatch};

/// The result of a read of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// The state that the attempt started from, with the attempt's own writes above it.
    Found(T),
    /// The attempt has lost: something that it wants to read was written since its start.
    Lost,
}

/// A running attempt. Until it commits, only its own reads see its writes.
///
/// An attempt that is dropped without [`Self::commit`] ends without a trace.
pub struct Attempt {
    object: Arc<dyn ObjectStorage>,
    start: Start,
    state: Arc<Mutex<State>>,
    /// Whether the object has still to be told how the attempt ended.
    running: bool,
}

#[derive(Default)]
struct State {
    read_set: ReadSet,
    writes: WriteBatch,
    lost: bool,
}

impl State {
    /// Notes what a read has found, or that the attempt has lost.
    fn settle<T>(
        &mut self,
        read: Snapshot<T>,
        note: impl FnOnce(&mut ReadSet, &T),
    ) -> Result<Read<T>> {
        match read {
            Snapshot::Fresh(found) => {
                note(&mut self.read_set, &found);
                Ok(Read::Found(found))
            }
            Snapshot::Stale(Conflict { what, own: true }) => Err(Error::SelfConflict { what }),
            Snapshot::Stale(_) => {
                self.lost = true;
                Ok(Read::Lost)
            }
        }
    }

    fn check_written(&self, more: &BTreeSet<Key>) -> Result<()> {
        let new = more.iter().filter(|key| !self.writes.entries().contains_key(*key)).count();
        checks::check_written_count(self.writes.entries().len() + new)
    }
}

impl Attempt {
    /// The attempt that `object` has started.
    pub fn new(object: Arc<dyn ObjectStorage>, start: Start) -> Self {
        Self { object, start, state: Arc::default(), running: true }
    }

    /// Names the attempt, for [`ReadView::Latest`] and [`ObjectStorage::write`].
    pub fn start(&self) -> Start {
        self.start
    }

    /// Reads keys. The results are in the order of `keys`.
    pub fn read(&self, keys: Vec<Key>) -> Answer<Read<Vec<Option<Value>>>> {
        let mut found = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        match lock(&self.state) {
            Ok(state) if state.lost => return Answer::Now(Ok(Read::Lost)),
            Ok(state) => {
                for key in keys {
                    if let Some(own) = state.writes.entries().get(&key) {
                        found.push(own.clone());
                    } else {
                        found.push(None);
                        missing.push((found.len() - 1, key));
                    }
                }
            }
            Err(error) => return Answer::Now(Err(error)),
        }
        if missing.is_empty() {
            return Answer::Now(Ok(Read::Found(found)));
        }
        let state = self.state.clone();
        let asked = missing.iter().map(|(_, key)| key.clone()).collect();
        self.object.read(asked, ReadView::Since(self.start)).and_then(move |read| {
            let (places, keys): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            let read = lock(&state)?.settle(read, |read_set, _| read_set.keys.extend(keys))?;
            let Read::Found(values) = read else {
                return Ok(Read::Lost);
            };
            for (place, value) in places.into_iter().zip(values) {
                found[place] = value;
            }
            Ok(Read::Found(found))
        })
    }

    /// Lists a range: the committed entries with the attempt's own writes above them.
    pub fn list(&self, scan: Scan) -> Answer<Read<Vec<Entry>>> {
        if scan.is_empty() {
            return Answer::Now(Ok(Read::Found(Vec::new())));
        }
        let own: Vec<(Key, Option<Value>)> = match lock(&self.state) {
            Ok(state) if state.lost => return Answer::Now(Ok(Read::Lost)),
            Ok(state) => state.writes.entries_in(&scan.range),
            Err(error) => return Answer::Now(Err(error)),
        };
        // Each own write can hide at most one committed entry.
        let wide = scan.widened(own.len());
        let state = self.state.clone();
        self.object.list(wide.clone(), ReadView::Since(self.start)).and_then(move |read| {
            let note = |read_set: &mut ReadSet, entries: &Vec<Entry>| {
                read_set.add_range(wide.covered(entries));
            };
            Ok(match lock(&state)?.settle(read, note)? {
                Read::Found(committed) => Read::Found(merge(committed, own, &scan)),
                Read::Lost => Read::Lost,
            })
        })
    }

    /// Reads the alarm, in milliseconds.
    pub fn alarm(&self) -> Answer<Read<Option<i64>>> {
        match lock(&self.state) {
            Ok(state) if state.lost => return Answer::Now(Ok(Read::Lost)),
            Ok(state) => {
                if let Some(own) = state.writes.alarm() {
                    return Answer::Now(Ok(Read::Found(own)));
                }
            }
            Err(error) => return Answer::Now(Err(error)),
        }
        let state = self.state.clone();
        self.object
            .alarm(ReadView::Since(self.start))
            .and_then(move |read| lock(&state)?.settle(read, |read_set, _| read_set.alarm = true))
    }

    /// Stores pairs when the attempt commits. If they are too many, none of them is taken.
    pub fn put(&self, pairs: Vec<Entry>) -> Result<()> {
        let mut state = lock(&self.state)?;
        state.check_written(&pairs.iter().map(|(key, _)| key.clone()).collect())?;
        for (key, value) in pairs {
            state.writes.put(key, value);
        }
        Ok(())
    }

    /// Removes keys when the attempt commits. Returns how many of them exist; duplicates count once.
    pub fn delete(&self, keys: Vec<Key>) -> Answer<Read<u32>> {
        let keys: BTreeSet<Key> = keys.into_iter().collect();
        if let Err(error) = lock(&self.state).and_then(|state| state.check_written(&keys)) {
            return Answer::Now(Err(error));
        }
        let existing = self.read(keys.iter().cloned().collect());
        if let Ok(mut state) = lock(&self.state) {
            for key in keys {
                state.writes.delete(key);
            }
        }
        existing.and_then(|read| {
            Ok(match read {
                Read::Found(values) => {
                    Read::Found(values.iter().flatten().fold(0, |count, _| count + 1))
                }
                Read::Lost => Read::Lost,
            })
        })
    }

    /// Sets or clears the alarm when the attempt commits.
    pub fn set_alarm(&self, alarm: AlarmWrite) -> Result<()> {
        lock(&self.state)?.writes.set_alarm(alarm);
        Ok(())
    }

    /// Ends the attempt: validates what it has read, and writes what it has written unless `discard` is set.
    /// All its reads must have been answered.
    pub fn commit(mut self, discard: bool) -> Answer<CommitOutcome> {
        let state = match lock(&self.state) {
            Ok(mut state) => std::mem::take(&mut *state),
            Err(error) => return Answer::Now(Err(error)),
        };
        if state.lost {
            let conflict = Conflict { what: "what it read".into(), own: false };
            return Answer::Now(Ok(CommitOutcome::Lost(conflict)));
        }
        self.running = false;
        let writes = if discard { WriteBatch::default() } else { state.writes };
        self.object.commit(self.start, state.read_set, writes).and_then(|outcome| match outcome {
            CommitOutcome::Lost(Conflict { what, own: true }) => Err(Error::SelfConflict { what }),
            outcome => Ok(outcome),
        })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.running {
            self.object.end(self.start);
        }
    }
}
