//! One run of a transaction's closure over one object: what it has read, and what it will write.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::answer::Answer;
use crate::backend::{CommitOutcome, Conflict, ObjectStorage, ReadResult, ReadView, Start};
use crate::checks;
use crate::concurrency::ReadSet;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::lock::lock;
use crate::merge::merge;
use crate::range::Scan;
use crate::write_batch::{AlarmWrite, WriteBatch};

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
    /// Why the attempt has lost, if it has.
    lost: Option<Conflict>,
}

impl State {
    /// Notes what a read has found, or that the attempt has lost.
    fn note_read<T>(
        &mut self,
        read: ReadResult<T>,
        note: impl FnOnce(&mut ReadSet, &T),
    ) -> Result<ReadResult<T>> {
        match &read {
            ReadResult::Value(found) => note(&mut self.read_set, found),
            ReadResult::Conflict(Conflict { what, own: true }) => {
                return Err(Error::SelfConflict { what: what.clone() });
            }
            ReadResult::Conflict(conflict) => self.lost = Some(conflict.clone()),
        }
        Ok(read)
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
    pub fn read(&self, keys: Vec<Key>) -> Answer<ReadResult<Vec<Option<Value>>>> {
        let mut found = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        match lock(&self.state) {
            Ok(state) => {
                if let Some(conflict) = &state.lost {
                    return Answer::Now(Ok(ReadResult::Conflict(conflict.clone())));
                }
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
            return Answer::Now(Ok(ReadResult::Value(found)));
        }
        let state = self.state.clone();
        let asked = missing.iter().map(|(_, key)| key.clone()).collect();
        self.object.read(asked, ReadView::Since(self.start)).and_then(move |read| {
            let (places, keys): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            let read = lock(&state)?.note_read(read, |read_set, _| read_set.keys.extend(keys))?;
            Ok(read.map(|values| {
                for (place, value) in places.into_iter().zip(values) {
                    found[place] = value;
                }
                found
            }))
        })
    }

    /// Lists a range: the committed entries with the attempt's own writes above them.
    pub fn list(&self, scan: Scan) -> Answer<ReadResult<Vec<Entry>>> {
        if scan.is_empty() {
            return Answer::Now(Ok(ReadResult::Value(Vec::new())));
        }
        let own: Vec<(Key, Option<Value>)> = match lock(&self.state) {
            Ok(state) => {
                if let Some(conflict) = &state.lost {
                    return Answer::Now(Ok(ReadResult::Conflict(conflict.clone())));
                }
                state.writes.entries_in(&scan.range)
            }
            Err(error) => return Answer::Now(Err(error)),
        };
        // Each own write can hide at most one committed entry.
        let wide = scan.widened(own.len());
        let state = self.state.clone();
        self.object.list(wide.clone(), ReadView::Since(self.start)).and_then(move |read| {
            let note = |read_set: &mut ReadSet, entries: &Vec<Entry>| {
                read_set.add_range(wide.covered(entries));
            };
            let read = lock(&state)?.note_read(read, note)?;
            Ok(read.map(|committed| merge(committed, own, &scan)))
        })
    }

    /// Reads the alarm, in milliseconds.
    pub fn alarm(&self) -> Answer<ReadResult<Option<i64>>> {
        match lock(&self.state) {
            Ok(state) => {
                if let Some(conflict) = &state.lost {
                    return Answer::Now(Ok(ReadResult::Conflict(conflict.clone())));
                }
                if let Some(own) = state.writes.alarm() {
                    return Answer::Now(Ok(ReadResult::Value(own)));
                }
            }
            Err(error) => return Answer::Now(Err(error)),
        }
        let state = self.state.clone();
        self.object.alarm(ReadView::Since(self.start)).and_then(move |read| {
            lock(&state)?.note_read(read, |read_set, _| read_set.alarm = true)
        })
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
    pub fn delete(&self, keys: Vec<Key>) -> Answer<ReadResult<u32>> {
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
            Ok(read.map(|values| values.iter().flatten().fold(0, |count, _| count + 1)))
        })
    }

    /// Sets or clears the alarm when the attempt commits.
    pub fn set_alarm(&self, alarm: AlarmWrite) -> Result<()> {
        lock(&self.state)?.writes.set_alarm(alarm);
        Ok(())
    }

    /// Ends the attempt: validates its reads, and applies its writes unless `discard` is set. All its reads must have
    /// been answered.
    pub fn commit(mut self, discard: bool) -> Answer<CommitOutcome> {
        let state = match lock(&self.state) {
            Ok(mut state) => std::mem::take(&mut *state),
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(conflict) = state.lost {
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
