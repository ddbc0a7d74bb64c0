//! The open objects that may be closed to make room, by their last use.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

/// An open object, as [`super::open_set`] sees it.
pub trait Occupant: Send + Sync {
    /// Stamp of the last use: the larger, the later.
    fn last_used(&self) -> u64;

    /// Begins to close the object, if it is idle. Called without any lock.
    fn leave(&self) -> Leaving;
}

/// What an object does that is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It closes: its slot is on its way back.
    Leaves,
    /// It cannot close now. It calls [`super::open_set::OpenSet::idle`] when it can.
    Stays,
    /// It is not open.
    Absent,
}

/// Open objects, ordered by a use that need not be the last one any more.
#[derive(Default)]
pub struct ByUse {
    /// By the use and the address of the object.
    order: BTreeMap<(u64, usize), Weak<dyn Occupant>>,
    /// The use under which each object is in `order`, by its address.
    uses: HashMap<usize, u64>,
}

impl ByUse {
    /// Adds an object, or gives it another use.
    pub fn insert(&mut self, object: &Arc<dyn Occupant>, used: u64) {
        let address = Arc::as_ptr(object).cast::<()>() as usize;
        if let Some(before) = self.uses.insert(address, used) {
            self.order.remove(&(before, address));
        }
        self.order.insert((used, address), Arc::downgrade(object));
    }

    /// Removes the object with the earliest use; gives both.
    pub fn pop(&mut self) -> Option<(u64, Weak<dyn Occupant>)> {
        let ((used, address), object) = self.order.pop_first()?;
        self.uses.remove(&address);
        Some((used, object))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
