//! What the plain writes of one turn of the event loop have replaced, so that they can be undone.

use std::collections::BTreeMap;

use super::claim::Standing;
use super::table::Table;
use crate::error::Result;
use crate::key::{Key, Value};
use crate::range::Scan;
use crate::write_batch::{AlarmWrite, TurnId, WriteBatch};

/// What was stored before the first write of a turn.
pub(super) struct Journal {
    pub(super) turn: TurnId,
    pub(super) entries: BTreeMap<Key, Option<Value>>,
    /// Whether `entries` holds all that was stored.
    whole: bool,
    pub(super) alarm: Option<(AlarmWrite, Standing)>,
}

impl Journal {
    pub(super) fn new(turn: TurnId) -> Self {
        Self { turn, entries: BTreeMap::new(), whole: false, alarm: None }
    }

    /// Notes what `writes` replace, as far as it is not known.
    pub(super) fn note(
        &mut self,
        table: &dyn Table,
        standing: Standing,
        writes: &WriteBatch,
    ) -> Result<()> {
        if writes.clears() && !self.whole {
            for (key, value) in table.scan(&Scan::all())? {
                self.entries.entry(key).or_insert(Some(value));
            }
            self.whole = true;
        }
        for key in writes.entries().keys() {
            if !self.entries.contains_key(key) {
                let before = if self.whole { None } else { table.get(key)? };
                self.entries.insert(key.clone(), before);
            }
        }
        if writes.alarm().is_some() && self.alarm.is_none() {
            self.alarm = Some((table.alarm()?, standing));
        }
        Ok(())
    }
}
