//! The SQL of an object, as its callers use it: synchronously, and only while the object is kept open.

use crate::answer::Answer;
use crate::backend::{Rested, SqlStorage, Ticket};
use crate::concurrency::turn::Intent;
use crate::error::{Error, Result};
use crate::sqlite::Database;

use super::object::LocalObject;
use super::state::{Need, State};
use super::table::Table;

impl<T: Table> SqlStorage for LocalObject<T> {
    fn open_sql(&self) -> Answer<()> {
        if let Some(opener) = &self.opener {
            opener.wants_sql();
        }
        let durability = self.durability.clone();
        let open = move |state: &mut State<T>| {
            state.seal()?;
            let table = state.table.get_mut().ok_or(Error::NoSql)?;
            if table.sqlite().is_none() {
                table.become_sqlite(&durability)?;
                state.lose_attempts();
            }
            state.pins += 1;
            Ok(())
        };
        self.perform_or_undo(None, Intent::Write, Need::Write, open, |state, ()| state.unpin())
    }

    fn expect_keys(&self) -> Result<()> {
        if let Some(opener) = &self.opener {
            opener.wants_keys();
        }
        let mut state = self.locked()?;
        if state.table.get_mut().and_then(Table::sqlite).is_some() {
            return Err(Error::StorageBackend { object: self.key().to_string() });
        }
        Ok(())
    }

    fn close_sql(&self) {
        if let Ok(mut state) = self.locked() {
            state.unpin();
            self.run_waiting(&mut state);
        }
    }

    fn rest_sql(&self) -> Option<Rested> {
        let mut state = self.locked().ok()?;
        if state.pins > 1 || state.table.is_handing_over() {
            return None;
        }
        let sqlite = state.table.get_mut().and_then(Table::sqlite)?;
        if !sqlite.database().is_resting() || sqlite.is_dirty() {
            return None;
        }
        let session = sqlite.database().session().ok()?;
        let arrivals = state.foreign_arrivals;
        state.unpin();
        self.run_waiting(&mut state);
        Some(Rested { session, arrivals })
    }

    fn resume_sql(&self, rested: &Rested) -> Result<bool> {
        self.with_sql(&mut |database| database.enter(&rested.session))?;
        Ok(self.locked()?.foreign_arrivals == rested.arrivals)
    }

    fn with_sql(&self, work: &mut dyn FnMut(&mut Database) -> Result<()>) -> Result<Ticket> {
        let mut state = self.locked()?;
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        self.mark_used();
        state.guarded(|state| {
            let table = state.table.get_mut().ok_or(Error::Closed)?;
            let sqlite = table.sqlite().ok_or(Error::NoSql)?;
            let (alarm, was_nested) = (sqlite.alarm()?, sqlite.is_nested());
            let worked = sqlite.active_database().and_then(work);
            let ticket = sqlite.pending();
            let (now, is_nested) = (sqlite.alarm()?, sqlite.is_nested());
            if ticket > 0 {
                state.written_by_sql(ticket);
            }
            if now != alarm {
                state.alarm_written();
            }
            // What a transaction does to the alarm counts at its end.
            if !is_nested && (was_nested || now != alarm) {
                state.alarms.set(&state.key, now)?;
            }
            worked.map(|()| ticket)
        })
    }

    fn reset_sql(&self, alarm: bool) -> Result<Ticket> {
        let mut state = self.locked()?;
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        state.guarded(|state| {
            let table = state.table.get_mut().ok_or(Error::Closed)?;
            let sqlite = table.sqlite().ok_or(Error::NoSql)?;
            let kept = if alarm { None } else { sqlite.alarm()? };
            let ticket = sqlite.reset(kept)?;
            state.written_by_sql(ticket);
            if kept.is_none() {
                state.alarm_written();
                state.alarms.set(&state.key, None)?;
            }
            Ok(ticket)
        })
    }

    fn sql_image(&self) -> Answer<Option<Vec<u8>>> {
        self.perform(None, Intent::Read, Need::Read, |state| {
            let sqlite = state.table.get_mut().and_then(Table::sqlite);
            sqlite.map(|sqlite| sqlite.database().image()).transpose()
        })
    }

    fn is_sqlite(&self) -> Answer<bool> {
        self.perform(None, Intent::Read, Need::Read, |state| {
            Ok(state.table.get_mut().and_then(Table::sqlite).is_some())
        })
    }

    fn is_wanted(&self) -> bool {
        self.locked().is_ok_and(|state| state.table.is_handing_over())
    }
}

impl<T: Table> State<T> {
    /// SQL has written: what it was, no attempt can know.
    fn written_by_sql(&mut self, ticket: Ticket) {
        self.newest = ticket;
        self.sequence += 1;
        if self.log.is_needed() {
            self.log.invalidate(self.sequence);
        }
    }

    fn unpin(&mut self) {
        self.pins = self.pins.saturating_sub(1);
        if self.pins == 0
            && let Some(sqlite) = self.table.get_mut().and_then(Table::sqlite)
        {
            sqlite.database().close_cursors();
        }
    }
}
