//! Undoes the plain writes of a turn of the event loop.

use super::journal::Journal;
use super::state::State;
use super::table::Table;
use crate::error::Result;
use crate::write_batch::{TurnId, WriteBatch};

impl<T: Table> State<T> {
    /// Notes what `writes` are about to replace, if they may be undone.
    pub(super) fn note_before(&mut self, writes: &WriteBatch) -> Result<()> {
        let (Some(turn), Some(table)) = (writes.turn(), self.table.get()) else {
            return Ok(());
        };
        let standing = self.claim_standing();
        let journal = self.journal.take().filter(|journal| journal.turn == turn);
        let mut journal = journal.unwrap_or_else(|| Journal::new(turn));
        journal.note(table, standing, writes)?;
        self.journal = Some(journal);
        Ok(())
    }

    /// Undoes the writes of a turn.
    pub(super) fn undo(&mut self, turn: TurnId) -> Result<()> {
        let journal = self.take_journal(turn);
        if let Some(sqlite) = self.table.get_mut().and_then(Table::sqlite) {
            // What is not committed was written in this turn.
            sqlite.roll_back()?;
            let alarm = sqlite.alarm()?;
            self.alarms.set(&self.key, alarm)?;
            if let Some((_, standing)) = journal.and_then(|journal| journal.alarm) {
                self.restore_claim(standing);
            }
            return Ok(());
        }
        let Some(journal) = journal else {
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
