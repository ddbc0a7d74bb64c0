//! One object whose bytes are in this process, and the opener that gives it its tables.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use super::claim::{ClaimMarker, ForeignClaim};
use super::state::State;
use super::table::{Access, Table};
use super::table_state::TableState;
use crate::alarm_index::AlarmIndex;
use crate::backend::ObjectKey;
use crate::durability::Durability;
use crate::error::Result;
use crate::lock::lock;

/// Counts uses of objects, to order them by last use.
static USES: AtomicU64 = AtomicU64::new(1);

/// Opens and closes the tables of one object.
pub trait TableOpener<T>: Send + Sync {
    /// Whether the object certainly does not exist. Cheap: it is asked at each read of a closed object.
    fn is_absent(&self) -> bool;

    /// Opens the table in the background and hands it to [`LocalObject::opened`]. Creates the object if it does not
    /// exist.
    fn open(self: Arc<Self>, access: Access, object: Arc<LocalObject<T>>);

    /// Makes a table that takes writes of one that does not, in the background, and hands it to
    /// [`LocalObject::opened`]. No other process gets the object in between. Called with the object locked.
    fn upgrade(self: Arc<Self>, table: T, object: Arc<LocalObject<T>>);

    /// Takes back a table that another process waits for, and closes it in the background. Called with the object
    /// locked.
    fn closed(self: Arc<Self>, table: T);

    /// Claims the alarm that is set for `at` before other processes; `None` if another one has claimed it.
    fn claim(&self, _at: i64) -> Result<Option<Box<dyn ClaimMarker>>> {
        Ok(Some(Box::new(())))
    }

    /// The claim that another process has. Cheap: it is asked at each read of an alarm that is set.
    fn claimed(&self) -> Result<Option<ForeignClaim>> {
        Ok(None)
    }

    /// Whether another process may have had the object before the last table was opened. It is asked once a table.
    fn was_elsewhere(&self) -> bool {
        false
    }

    /// From now on tables are over SQLite databases.
    fn wants_sql(&self) {}

    /// From now on a SQLite database is not opened.
    fn wants_keys(&self) {}

    /// A table that [`LocalObject::take_idle`] has found in use is no longer in use. Called with the object locked.
    fn idle(&self, _object: &Arc<LocalObject<T>>) {}
}

/// One object whose bytes are in this process; all its users in this process share it.
///
/// A table that comes from a [`TableOpener`] is opened by the first operation that needs it, and can be taken away
/// again. Operations that find it closed wait for it, in order.
pub struct LocalObject<T> {
    pub(super) state: Mutex<State<T>>,
    key: ObjectKey,
    pub(super) opener: Option<Arc<dyn TableOpener<T>>>,
    pub(super) durability: Arc<Durability>,
    /// Stamp of the last use, to find the object that was not used for the longest time.
    used: AtomicU64,
    /// For background work: it must not keep the object alive.
    pub(super) this: Weak<Self>,
}

impl<T: Table> LocalObject<T> {
    /// An object over `table`, which is always open. It keeps its entry in `alarms` true.
    pub fn new(table: T, key: ObjectKey, alarms: Arc<AlarmIndex>) -> Arc<Self> {
        let durability = table.durability().cloned().unwrap_or_default();
        Self::build(TableState::Open(table), None, durability, key, alarms)
    }

    /// An object whose tables come from `opener`. They report to `durability`.
    pub fn over(
        opener: Arc<dyn TableOpener<T>>,
        durability: Arc<Durability>,
        key: ObjectKey,
        alarms: Arc<AlarmIndex>,
    ) -> Arc<Self> {
        Self::build(TableState::Closed, Some(opener), durability, key, alarms)
    }

    fn build(
        table: TableState<T>,
        opener: Option<Arc<dyn TableOpener<T>>>,
        durability: Arc<Durability>,
        key: ObjectKey,
        alarms: Arc<AlarmIndex>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::new(State::new(table, key.clone(), alarms)),
            key,
            opener,
            durability,
            used: AtomicU64::new(0),
            this: this.clone(),
        })
    }

    /// Names the object.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Stamp of the last use: the larger, the later.
    pub fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Notes that the object is used now.
    pub(super) fn mark_used(&self) {
        self.used.store(USES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether the table is open.
    pub fn is_open(&self) -> bool {
        lock(&self.state).is_ok_and(|state| state.table.get().is_some())
    }

    /// Whether the object holds neither a key nor an alarm. An object without an open table counts as empty.
    pub fn is_empty(&self) -> Result<bool> {
        lock(&self.state)?.table.get().map_or(Ok(true), Table::is_empty)
    }

    /// What `look` sees in the table; `None` if the table is not open.
    pub fn inspect<R>(&self, look: impl FnOnce(&T) -> R) -> Result<Option<R>> {
        Ok(lock(&self.state)?.table.get().map(look))
    }

    /// Locks the state.
    pub(super) fn locked(&self) -> Result<Locked<'_, T>> {
        Ok(Locked { state: lock(&self.state)?, object: self })
    }
}

/// The state of an object, locked. Unlocking it tells the opener that the table is no longer in use, if the opener waits
/// for that.
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
        if self.state.idle_is_awaited && !self.state.is_in_use() {
            self.state.idle_is_awaited = false;
            if let (Some(opener), Some(this)) = (&self.object.opener, self.object.this.upgrade()) {
                opener.idle(&this);
            }
        }
    }
}
