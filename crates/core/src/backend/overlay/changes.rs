//! One object's changes above the object below, key by key, and how to undo them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::below::Below;
use super::savepoints::Savepoints;
use crate::backend::local::Table;
use crate::backend::{ObjectKey, Ticket};
use crate::error::Result;
use crate::key::{Entry, Key, Value};
use crate::merge::merge;
use crate::range::{KeyRange, Scan};
use crate::write_batch::{AlarmWrite, WriteBatch};

/// The change of a key: its new value, or `None` for a removal.
type Change = Option<Value>;

/// The change of the alarm; `None` if the alarm below shows through.
type AlarmChange = Option<AlarmWrite>;

/// How many more entries than asked for a page from below brings, after changes have hidden some.
const PAGE_ROOM: usize = 127;

/// An object's data: its changes above the object below.
pub struct ChangesTable {
    below: Arc<Below>,
    key: ObjectKey,
    savepoints: Arc<Savepoints>,
    changes: BTreeMap<Key, Change>,
    /// Whether no key from below shows through.
    cleared: bool,
    alarm: AlarmChange,
    /// One for each savepoint in which anything was changed, the newest last.
    undo: Vec<Undo>,
}

/// What was changed in a savepoint, as it was before the savepoint.
struct Undo {
    /// Number of the savepoint, from 1.
    savepoint: usize,
    /// All changes, and whether the table was cleared, before a write in the savepoint removed every key.
    replaced: Option<(BTreeMap<Key, Change>, bool)>,
    /// The earlier changes of the keys that were written in the savepoint before that. `None` for a key without an earlier
    /// change.
    entries: BTreeMap<Key, Option<Change>>,
    /// The earlier alarm, if the alarm was written in the savepoint.
    alarm: Option<AlarmChange>,
}

impl ChangesTable {
    /// A table without changes.
    pub fn new(below: Arc<Below>, key: ObjectKey, savepoints: Arc<Savepoints>) -> Self {
        Self {
            below,
            key,
            savepoints,
            changes: BTreeMap::new(),
            cleared: false,
            alarm: None,
            undo: Vec::new(),
        }
    }

    /// Whether the alarm below does not show through.
    pub fn decides_alarm(&self) -> bool {
        self.alarm.is_some()
    }

    /// Undoes the changes of every savepoint above `depth`; 0 undoes those of all savepoints. Returns the alarm that is
    /// then set in the overlay.
    pub fn revert(&mut self, depth: usize) -> Option<i64> {
        while let Some(undo) = self.undo.pop_if(|undo| undo.savepoint > depth) {
            if let Some((changes, cleared)) = undo.replaced {
                (self.changes, self.cleared) = (changes, cleared);
            }
            for (key, before) in undo.entries {
                match before {
                    Some(change) => self.changes.insert(key, change),
                    None => self.changes.remove(&key),
                };
            }
            self.alarm = undo.alarm.unwrap_or(self.alarm);
        }
        self.alarm.flatten()
    }

    /// Undoes everything.
    pub fn forget(&mut self) -> Option<i64> {
        self.undo.clear();
        self.changes.clear();
        (self.cleared, self.alarm) = (false, None);
        None
    }

    /// Takes the table apart: the object below, its key, and the savepoints.
    pub fn into_parts(self) -> (Arc<Below>, ObjectKey, Arc<Savepoints>) {
        (self.below, self.key, self.savepoints)
    }

    /// The changes as a batch of writes.
    pub fn as_writes(&self) -> WriteBatch {
        let mut writes = WriteBatch::default();
        if self.cleared {
            writes.clear();
        }
        for (key, value) in &self.changes {
            match value {
                Some(value) => writes.put(key.clone(), value.clone()),
                None => writes.delete(key.clone()),
            }
        }
        if let Some(alarm) = self.alarm {
            writes.set_alarm(alarm);
        }
        writes
    }

    /// The changes of keys in `range`, in order.
    fn changes_in(&self, range: &KeyRange) -> impl DoubleEndedIterator<Item = (Key, Change)> {
        let nothing = (Bound::Unbounded, Bound::Excluded(&[][..]));
        let bounds = if range.is_empty() { nothing } else { range.bounds() };
        let changes = self.changes.range::<[u8], _>(bounds);
        changes.map(|(key, value)| (key.clone(), value.clone()))
    }
}

impl Table for ChangesTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None if self.cleared => Ok(None),
            None => self.below.get(key),
        }
    }

    /// Reads the object below page by page, because changes may hide any number of its entries.
    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        let mut rest = scan.clone();
        let mut found = Vec::new();
        let mut room = 0;
        while !rest.is_empty() {
            let wide = rest.widened(room);
            let page = if self.cleared { Vec::new() } else { self.below.list(wide.clone())? };
            let ended_by_limit = wide.limit.is_some_and(|limit| page.len() >= limit);
            let covered = wide.covered(&page);
            found.extend(merge(page, self.changes_in(&covered), &rest));
            if !ended_by_limit {
                break;
            }
            room = PAGE_ROOM;
            rest.limit = scan.limit.map(|limit| limit.saturating_sub(found.len()));
            if scan.reverse {
                rest.range.end = Some(covered.start);
            } else {
                rest.range.start = covered.end.unwrap_or(rest.range.start);
            }
        }
        Ok(found)
    }

    fn alarm(&self) -> Result<Option<i64>> {
        self.alarm.map_or_else(|| self.below.alarm(), Ok)
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        let savepoint = self.savepoints.depth()?;
        if self.undo.last().map_or(0, |undo| undo.savepoint) < savepoint {
            self.savepoints.enter(&self.key)?;
            let entries = BTreeMap::new();
            self.undo.push(Undo { savepoint, replaced: None, entries, alarm: None });
        }
        let mut undo = self.undo.last_mut();
        let (clear, entries, alarm) = writes.into_parts();
        if clear {
            let before = (std::mem::take(&mut self.changes), self.cleared);
            self.cleared = true;
            if let Some(undo) = &mut undo {
                undo.replaced.get_or_insert(before);
            }
        }
        for (key, value) in entries {
            let before = match value {
                None if self.cleared => self.changes.remove(&key),
                value => self.changes.insert(key.clone(), value),
            };
            if let Some(undo) = &mut undo
                && undo.replaced.is_none()
            {
                undo.entries.entry(key).or_insert(before);
            }
        }
        if let Some(alarm) = alarm {
            let before = self.alarm.replace(alarm);
            if let Some(undo) = &mut undo {
                undo.alarm.get_or_insert(before);
            }
        }
        Ok(0)
    }

    fn is_empty(&self) -> Result<bool> {
        let any = Scan { limit: Some(1), ..Scan::all() };
        Ok(self.alarm()?.is_none() && self.scan(&any)?.is_empty())
    }
}
