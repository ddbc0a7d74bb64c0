//! What the plain writes of one turn of the event loop have replaced, so that they can be taken back.

use std::collections::BTreeMap;

use super::claim::Standing;
use super::state::State;
use crate::backend::Table;
use crate::error::Result;
use crate::key::{Key, Value};
use crate::range::Scan;
use crate::write_batch::{AlarmWrite, TurnId, WriteBatch};

/// What was there before the first write of a turn.
pub(super) struct Journal {
    turn: TurnId,
    entries: BTreeMap<Key, Option<Value>>,
    /// Whether `entries` holds all that was there.
    whole: bool,
    alarm: Option<(AlarmWrite, Standing)>,
}

impl Journal {
    fn new(turn: TurnId) -> Self {
        Self { turn, entries: BTreeMap::new(), whole: false, alarm: None }
    }

    /// Notes what `writes` replace, as far as it is not known.
    fn note(&mut self, table: &dyn Table, standing: Standing, writes: &WriteBatch) -> Result<()> {
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

impl<T: Table> State<T> {
    /// Notes what `writes` are about to replace, if they may be taken back.
    pub(super) fn note_before(&mut self, writes: &WriteBatch) -> Result<()> {
        let (Some(turn), Some(table)) = (writes.turn(), &self.table) else {
            return Ok(());
        };
        let standing = self.claim_standing();
        let journal = self.journal.take().filter(|journal| journal.turn == turn);
        let mut journal = journal.unwrap_or_else(|| Journal::new(turn));
        journal.note(table, standing, writes)?;
        self.journal = Some(journal);
        Ok(())
    }

    /// Takes back the writes of a turn.
    pub(super) fn undo(&mut self, turn: TurnId) -> Result<()> {
        let Some(journal) = self.take_journal(turn) else {
            return Ok(());
        };
        let mut writes = WriteBatch::default();
        for (key, before) in journal.entries {
            match before {
                Some(value) => writes.put(key, value),
                None => writes.delete(key),
            }
        }
        if let Some((alarm, _)) = journal.alarm {
            writes.set_alarm(alarm);
        }
        self.apply(writes)?;
        if let Some((_, standing)) = journal.alarm {
            self.restore_claim(standing);
        }
        Ok(())
    }

    /// The journal of a turn, which is not kept any more.
    pub(super) fn take_journal(&mut self, turn: TurnId) -> Option<Journal> {
        if self.journal.as_ref()?.turn == turn { self.journal.take() } else { None }
    }
}
