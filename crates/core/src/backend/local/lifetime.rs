//! Opens an object's table on first use, and closes it to save memory or to hand the object to another process.
//!
//! | verb | who gets the table | the object |
//! |---|---|---|
//! | `take_idle`, `take_empty`, `take_failed` | the caller | opens another one when it needs it |
//! | `hand_over` | the opener, by [`TableOpener::closed`](super::TableOpener::closed) | the same |
//! | `close`, `close_unless_opening` | the caller | has ended |
//! | `retire` | the object keeps it | refuses later operations, and still does those that wait |

use super::object::LocalObject;
use super::state::{Need, State};
use super::table::{Access, Table};
use super::table_state::{Opening, TableState};
use crate::error::{Error, Result};

/// What [`LocalObject::take_idle`] has found.
#[derive(Debug)]
pub enum IdleTable<T> {
    /// The table was idle.
    Taken(T),
    /// The table is in use. [`TableOpener::idle`](super::TableOpener::idle) is called when that ends.
    InUse,
    /// No table is open.
    Absent,
}

impl<T: Table> LocalObject<T> {
    /// Makes every later operation fail. Operations that wait for the table still get it.
    pub fn retire(&self) {
        if let Ok(mut state) = self.locked() {
            state.ended.get_or_insert(Error::Closed);
        }
    }

    /// Makes every later operation fail, and every waiting one too. Returns the table, if it is open.
    pub fn close(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        state.stop(Error::Closed);
        state.table.take()
    }

    /// Closes an object that was retired, unless its table is on its way: then what waits for the table still gets it.
    pub fn close_unless_opening(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        if state.table.is_opening() {
            return None;
        }
        state.stop(Error::Closed);
        state.table.take()
    }

    /// Takes the table away to save memory, unless it is on its way, an attempt runs or a write is not sealed.
    pub fn take_idle(&self) -> IdleTable<T> {
        let Ok(mut state) = self.locked() else {
            return IdleTable::Absent;
        };
        if state.is_in_use() {
            state.idle_is_awaited = true;
            return IdleTable::InUse;
        }
        state.take_table().map_or(IdleTable::Absent, IdleTable::Taken)
    }

    /// Takes away the table of an object that is empty, to remove the object. Attempts go on: an object that does not
    /// exist reads like an empty one.
    pub fn take_empty(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        if state.is_busy() || !state.table.get()?.is_empty().ok()? {
            return None;
        }
        state.table.take()
    }

    /// Takes away a table that could not keep what was written to it. The next operation opens another one.
    pub fn take_failed(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        let table = state.take_table();
        self.run_waiting(&mut state);
        table
    }

    /// Gives the table to the opener, because another process waits for it: at once, or when the turn has ended and every
    /// write is sealed. No later turn begins before. Running attempts lose.
    pub fn hand_over(&self) {
        if let Ok(mut state) = self.locked()
            && state.table.ask_for_hand_over()
        {
            self.run_waiting(&mut state);
        }
    }

    /// Gives the opener the table that another process waits for.
    pub(super) fn finish_hand_over(&self, state: &mut State<T>) {
        if let (Some(opener), Some(table)) = (&self.opener, state.take_table()) {
            opener.clone().closed(table);
        }
    }

    /// Whether an operation need not wait for the table.
    pub(super) fn is_ready(&self, state: &State<T>, need: Need) -> bool {
        match &state.table {
            TableState::Open(table) | TableState::HandingOver(table) => {
                need.access() == Access::Read || table.takes_writes()
            }
            TableState::Closed => self.needs_no_table(need),
            TableState::Opening | TableState::Upgrading { .. } => false,
        }
    }

    /// Whether an operation needs no table now. Reading and removing need none if the object does not exist.
    fn needs_no_table(&self, need: Need) -> bool {
        match need {
            Need::Nothing => true,
            Need::Read | Need::Remove => {
                self.opener.as_ref().is_some_and(|opener| opener.is_absent())
            }
            Need::Write => false,
        }
    }

    /// Starts to open the table for `need`, unless it is on its way. A table that is open but takes no writes is upgraded.
    pub(super) fn open(&self, state: &mut State<T>, need: Need) {
        let (Some(opener), Some(this)) = (&self.opener, self.this.upgrade()) else {
            return;
        };
        match state.table.begin() {
            Some(Opening::Open) => opener.clone().open(need.access(), this),
            Some(Opening::Upgrade(table)) => opener.clone().upgrade(table, this),
            None => {}
        }
    }

    /// Called by the opener with the table, or with the reason why there is none. Everything that waited goes on.
    pub fn opened(&self, table: Result<T>) {
        let Ok(mut state) = self.locked() else {
            return;
        };
        match table {
            Ok(_) if state.ended.is_some() && state.arrivals.is_empty() => {
                state.table.fail();
            }
            Ok(table) => {
                if let Ok(alarm) = table.alarm() {
                    // The index is a help; the table is the truth.
                    let _ = state.alarms.set(&state.key, alarm);
                    state.revise_claim(alarm);
                    if let Some(Ok(None)) = self.opener.as_ref().map(|opener| opener.claimed()) {
                        let _ = state.alarms.readmit(&state.key);
                    }
                }
                if self.opener.as_ref().is_some_and(|opener| opener.was_elsewhere()) {
                    state.foreign_arrivals += 1;
                }
                let was_upgraded = state.table.arrive(table);
                let is_empty = |table: &T| table.is_empty().is_ok_and(|empty| empty);
                // Attempts that began before another process created the object have read that it is empty.
                if !was_upgraded && !state.table.get().is_some_and(is_empty) {
                    state.lose_attempts();
                }
                self.run_waiting(&mut state);
            }
            Err(error) => {
                let was_upgraded = state.table.fail();
                if was_upgraded {
                    // The opener has released the object, so other processes may write.
                    state.lose_attempts();
                }
                state.fail_waiting(&error);
            }
        }
    }
}
