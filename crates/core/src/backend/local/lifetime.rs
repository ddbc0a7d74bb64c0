//! When an object has its table: it comes from its source when it is needed, and goes when others need it or memory.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::LocalObject;
use super::queue::Need;
use super::state::{Opening, State};
use crate::backend::{Access, Table};
use crate::error::{Error, Result};
use crate::lock::lock;

/// What becomes of a table that is asked for.
#[derive(Debug)]
pub enum Released<T> {
    /// Here it is.
    Table(T),
    /// It is in use. The source is told when it is no more: [`crate::backend::Source::idle`].
    InUse,
    /// There is none.
    Absent,
}

/// The state of an object, locked. When it is unlocked, the source is told of a table that it waits for.
pub(super) struct Locked<'a, T: Table> {
    state: MutexGuard<'a, State<T>>,
    object: &'a LocalObject<T>,
}

impl<T: Table> Deref for Locked<'_, T> {
    type Target = State<T>;

    fn deref(&self) -> &State<T> {
        &self.state
    }
}

impl<T: Table> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut State<T> {
        &mut self.state
    }
}

impl<T: Table> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        if self.state.awaited && !self.state.is_in_use() {
            self.state.awaited = false;
            if let (Some(source), Some(this)) = (&self.object.source, self.object.this.upgrade()) {
                source.idle(&this);
            }
        }
    }
}

impl<T: Table> LocalObject<T> {
    /// Locks the state.
    pub(super) fn locked(&self) -> Result<Locked<'_, T>> {
        Ok(Locked { state: lock(&self.state)?, object: self })
    }
}

impl<T: Table> LocalObject<T> {
    /// Whether the table is at hand.
    pub fn is_open(&self) -> bool {
        lock(&self.state).is_ok_and(|state| state.table.is_some())
    }

    /// Makes every later operation fail; those that wait for the table still get it.
    pub fn retire(&self) {
        if let Ok(mut state) = self.locked() {
            state.ended.get_or_insert(Error::Closed);
        }
    }

    /// Makes every later operation fail, and every waiting one too. Gives back the table.
    pub fn close(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        state.stop(Error::Closed);
        state.table.take()
    }

    /// The same for an object that was retired, unless its table is being opened: then what waits for it still gets it.
    pub fn close_retired(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        if state.is_opening() {
            return None;
        }
        state.stop(Error::Closed);
        state.table.take()
    }

    /// Takes the table away to save memory, unless it is being opened, an attempt runs or a write is not sealed.
    pub fn release(&self) -> Released<T> {
        let Ok(mut state) = self.locked() else {
            return Released::Absent;
        };
        if state.is_in_use() {
            state.awaited = true;
            return Released::InUse;
        }
        state.take_table().map_or(Released::Absent, Released::Table)
    }

    /// Gives the table back to its source, because somebody else waits for it: at once, or when the
    /// turn has ended and every write is sealed; no later turn comes before that. Running attempts lose.
    pub fn hand_over(&self) {
        if let Ok(mut state) = self.locked()
            && state.table.is_some()
        {
            state.wanted = true;
            self.run_waiting(&mut state);
        }
    }

    /// Takes away a table that has nothing in it any more, to be removed. Attempts go on: an object that
    /// does not exist is as good as an empty one.
    pub fn vacate(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        if state.is_busy() || !state.table.as_ref()?.is_empty().ok()? {
            return None;
        }
        state.wanted = false;
        state.table.take()
    }

    /// Drops a table that could not keep what it was given: the next operation opens it anew.
    pub fn abandon(&self) -> Option<T> {
        let mut state = self.locked().ok()?;
        let table = state.take_table();
        self.run_waiting(&mut state);
        table
    }

    /// Whether an operation need not wait for the table.
    pub(super) fn is_ready(&self, state: &State<T>, need: Need) -> bool {
        match &state.table {
            Some(table) => need.access() == Access::Read || table.takes_writes(),
            None => self.can_do_without(state, need),
        }
    }

    /// Whether an operation needs no table; none does to read where nothing is stored.
    fn can_do_without(&self, state: &State<T>, need: Need) -> bool {
        let absent = || self.source.as_ref().is_some_and(|source| source.is_absent());
        !state.is_opening()
            && match need {
                Need::Nothing => true,
                Need::Read | Need::Remove => absent(),
                Need::Write => false,
            }
    }

    /// Starts opening the table for what is needed, unless that is under way. One that is at hand, but
    /// takes no writes, is opened anew.
    pub(super) fn open(&self, state: &mut State<T>, need: Need) {
        let (Some(source), Some(this)) = (&self.source, self.this.upgrade()) else {
            return;
        };
        if state.is_opening() {
            return;
        }
        state.opening = Opening::Afresh;
        match state.table.take() {
            Some(table) => {
                state.opening = Opening::ToWrite;
                source.clone().widen(table, this);
            }
            None => source.clone().open(need.access(), this),
        }
    }

    /// Called by the source: the table is there, or cannot be had. Everything that waited goes on.
    pub fn opened(&self, table: Result<T>) {
        let Ok(mut state) = self.locked() else {
            return;
        };
        let widened = mem::replace(&mut state.opening, Opening::No) == Opening::ToWrite;
        match table {
            Ok(_) if state.ended.is_some() && state.arrivals.is_empty() => {}
            Ok(table) => {
                if let Ok(alarm) = table.alarm() {
                    // The index is a help; the table is the truth.
                    let _ = state.alarms.set(&state.key, alarm);
                    state.revise_claim(alarm);
                    if let Some(Ok(None)) = self.source.as_ref().map(|source| source.claimed()) {
                        let _ = state.alarms.readmit(&state.key);
                    }
                }
                // Attempts that began while there was no object have read that it is empty.
                if !widened && !table.is_empty().is_ok_and(|empty| empty) {
                    state.lose_attempts();
                }
                state.table = Some(table);
                self.run_waiting(&mut state);
            }
            Err(error) => {
                if widened {
                    // The object was let go, so that others may write.
                    state.lose_attempts();
                }
                state.fail_waiting(&error);
            }
        }
    }

    /// Lets the source have the table, for somebody else.
    pub(super) fn give_back(&self, state: &mut State<T>) {
        if let (Some(source), Some(table)) = (&self.source, state.take_table()) {
            source.clone().released(table);
        }
    }
}
