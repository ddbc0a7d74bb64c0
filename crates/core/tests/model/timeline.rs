//! The model: every committed state, and what reads of them would have given.

use std::collections::{BTreeMap, BTreeSet};

use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::Scan;
use ferroflare_core::write_batch::WriteBatch;

/// A committed state, and what its commit has written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) entries: BTreeMap<Key, Value>,
    pub(crate) alarm: Option<i64>,
    written: Written,
}

/// What commits have written, whether or not it differs from before.
#[derive(Clone, Debug, Default)]
struct Written {
    everything: bool,
    keys: BTreeSet<Key>,
    alarm: bool,
}

/// All committed states, oldest first.
pub(crate) struct Timeline(Vec<Moment>);

impl Timeline {
    pub(crate) fn new() -> Self {
        Self(vec![Moment::default()])
    }

    /// Number of the newest state.
    pub(crate) fn newest(&self) -> usize {
        self.0.len() - 1
    }

    pub(crate) fn at(&self, moment: usize) -> &Moment {
        &self.0[moment]
    }

    pub(crate) fn now(&self) -> &Moment {
        self.at(self.newest())
    }

    /// Commits a batch; gives how many keys it removes.
    pub(crate) fn commit(&mut self, writes: &WriteBatch) -> u32 {
        if writes.is_empty() {
            return 0;
        }
        let mut next = self.now().clone();
        next.written = Written { everything: writes.clears(), ..Written::default() };
        let mut removed = 0;
        for (key, value) in writes.entries() {
            removed += u32::from(value.is_none() && next.entries.contains_key(key));
        }
        if writes.clears() {
            next.entries.clear();
        }
        for (key, value) in writes.entries() {
            // A copy: references to the key itself are counted.
            let key = Key::from(&**key);
            next.written.keys.insert(key.clone());
            match value {
                Some(value) => next.entries.insert(key, value.clone()),
                None => next.entries.remove(&key),
            };
        }
        if let Some(alarm) = writes.alarm() {
            next.alarm = alarm;
            next.written.alarm = true;
        }
        self.0.push(next);
        removed
    }

    /// Whether what was read at the moment `start` has been written since.
    pub(crate) fn is_written_since(&self, start: usize, seen: &Seen) -> bool {
        self.0[start + 1..].iter().any(|later| match seen {
            Seen::Alarm => later.written.alarm,
            Seen::Keys(keys) => {
                !keys.is_empty() && later.written.everything
                    || keys.iter().any(|key| later.written.keys.contains(key))
            }
            Seen::Walk { scan, own } => {
                let start = self.at(start);
                !scan.is_empty()
                    && (later.written.everything
                        || later.written.keys.iter().any(|key| start.walks_over(scan, own, key)))
            }
        })
    }

    /// Whether a read gives the same at two moments.
    pub(crate) fn is_same(&self, one: usize, other: usize, seen: &Seen) -> bool {
        let (one, other) = (self.at(one), self.at(other));
        match seen {
            Seen::Alarm => one.alarm == other.alarm,
            Seen::Keys(keys) => {
                keys.iter().all(|key| one.entries.get(key) == other.entries.get(key))
            }
            Seen::Walk { scan, own } => one.list(scan, own) == other.list(scan, own),
        }
    }
}

impl Seen {
    /// Whether no committed state was asked.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Alarm => false,
            Self::Keys(keys) => keys.is_empty(),
            Self::Walk { scan, .. } => scan.is_empty(),
        }
    }
}

impl Moment {
    pub(crate) fn get(&self, key: &Key, own: &WriteBatch) -> Option<Value> {
        own.entries().get(key).cloned().unwrap_or_else(|| self.entries.get(key).cloned())
    }

    pub(crate) fn list(&self, scan: &Scan, own: &WriteBatch) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        for (key, value) in own.entries() {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        let mut listed: Vec<Entry> =
            entries.into_iter().filter(|(key, _)| scan.range.contains(key)).collect();
        if scan.reverse {
            listed.reverse();
        }
        listed.truncate(scan.limit.unwrap_or(usize::MAX));
        listed
    }

    /// Whether a walk meets `key`, stored or not. Each own write may hide one entry, so that with
    /// a limit the walk goes on for as many entries more.
    fn walks_over(&self, scan: &Scan, own: &WriteBatch, key: &Key) -> bool {
        let own = own.entries().keys().filter(|key| scan.range.contains(key)).count();
        let Some(limit) = scan.limit else {
            return scan.range.contains(key);
        };
        let walked = self.list(&Scan { limit: None, ..scan.clone() }, &WriteBatch::default());
        let last = (limit + own).checked_sub(1).map(|last| walked.get(last));
        scan.range.contains(key)
            && match last {
                None => false,
                Some(None) => true,
                Some(Some((last, _))) if scan.reverse => key >= last,
                Some(Some((last, _))) => key <= last,
            }
    }
}

/// One read of an attempt, as far as committed state has answered it.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Keys(Vec<Key>),
    /// A walk, under what the attempt had written by then.
    Walk {
        scan: Scan,
        own: WriteBatch,
    },
    Alarm,
}
