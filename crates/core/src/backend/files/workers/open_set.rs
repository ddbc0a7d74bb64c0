//! Which objects are open: at most a given number at once, however many are asked for.
//!
//! An object that is to be opened gets a [`Slot`], which it keeps until its database is closed. Without a free slot it
//! waits in order of arrival. Meanwhile the open objects that are idle and were not used for the longest time are closed.
//! A transaction or an unsealed batch keeps its object open; [`OpenSet::idle`] tells when that ends.
//!
//! **Nothing waits for ever.** When no slot moves any more, more slots are given out ([`super::patience`]): as many as
//! there are objects that cannot be closed, beyond the limit. So the limit holds again when their transactions have ended.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::by_use::{ByUse, Leaving, Occupant};
use super::patience::Patience;
use super::pool::Workers;
use crate::lock::lock;

/// Most objects that are being closed at once to make room.
const LEAVING_MAX: usize = 16;

/// What is done with a slot.
type Entry = Box<dyn FnOnce(Slot) + Send>;

/// The objects of one directory that are open.
pub struct OpenSet {
    state: Mutex<State>,
    slots_max: AtomicUsize,
    workers: Arc<Workers>,
    runtime: Handle,
    this: Weak<Self>,
}

#[derive(Default)]
struct State {
    /// Slots that are given out.
    taken: usize,
    /// Slots on their way back from objects that were asked to leave.
    leaving: usize,
    /// Slots whose objects are being opened.
    opening: usize,
    /// What waits for a slot, in order of arrival.
    entering: VecDeque<Entry>,
    /// Objects that may be asked to leave.
    idle: ByUse,
    /// Whether a thread makes room, or will soon.
    making_room: bool,
    patience: Patience,
    /// Work that may still take a slot.
    under_way: usize,
    /// Callers that wait until the set is empty.
    emptied: Vec<oneshot::Sender<()>>,
}

/// The right to have one object open. It goes back when it is dropped.
pub struct Slot {
    set: Arc<OpenSet>,
}

/// Says that something may still take a slot.
pub struct UnderWay {
    set: Arc<OpenSet>,
}

/// Says that an object with a slot is being opened.
pub struct Opening {
    set: Arc<OpenSet>,
}

impl OpenSet {
    /// An empty set with a limit of one object.
    pub fn new(workers: Arc<Workers>, runtime: Handle) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::default(),
            slots_max: AtomicUsize::new(1),
            workers,
            runtime,
            this: this.clone(),
        })
    }

    /// Allows at least `slots` objects to be open.
    pub fn allow(&self, slots: usize) {
        self.slots_max.fetch_max(slots, Ordering::Relaxed);
        if let Ok(state) = lock(&self.state) {
            self.admit(state);
        }
    }

    /// The threads that do the work.
    pub fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Lets [`Self::emptied`] wait for work that may still take a slot.
    pub fn under_way(self: &Arc<Self>) -> UnderWay {
        if let Ok(mut state) = lock(&self.state) {
            state.under_way += 1;
        }
        UnderWay { set: self.clone() }
    }

    /// Notes that an object which has a slot is opened once more.
    pub fn opening(self: &Arc<Self>) -> Opening {
        if let Ok(mut state) = lock(&self.state) {
            state.opening += 1;
        }
        Opening { set: self.clone() }
    }

    /// Gives `entry` a slot as soon as one is free; it runs on a thread for beginning work. The caller may have locked an
    /// object.
    pub fn enter(&self, entry: impl FnOnce(Slot) + Send + 'static) {
        self.queue(|entering| entering.push_back(Box::new(entry)));
    }

    /// The same before all others, for an object that other processes wait for.
    pub fn enter_first(&self, entry: impl FnOnce(Slot) + Send + 'static) {
        self.queue(|entering| entering.push_front(Box::new(entry)));
    }

    fn queue(&self, add: impl FnOnce(&mut VecDeque<Entry>)) {
        if let Ok(mut state) = lock(&self.state) {
            add(&mut state.entering);
            self.admit(state);
        }
    }

    /// An object is open, or was opened once more.
    pub fn opened(&self, object: &Arc<dyn Occupant>) {
        self.idle(object);
    }

    /// An object that could not leave can now. The caller may have locked the object.
    pub fn idle(&self, object: &Arc<dyn Occupant>) {
        if let Ok(mut state) = lock(&self.state) {
            state.idle.insert(object, object.last_used());
            self.admit(state);
        }
    }

    /// Tells when no object is open and none is to be opened.
    pub fn emptied(&self) -> oneshot::Receiver<()> {
        let (send, receive) = oneshot::channel();
        if let Ok(mut state) = lock(&self.state) {
            state.emptied.push(send);
            state.tell_if_empty();
        }
        receive
    }

    /// How many objects are open or being opened.
    pub fn taken(&self) -> usize {
        lock(&self.state).map_or(0, |state| state.taken)
    }

    /// How many objects may be open now.
    fn limit(&self, state: &State) -> usize {
        let most = self.slots_max.load(Ordering::Relaxed);
        most + state.staying().min(state.patience.extra())
    }

    /// Whether more objects have to leave than do already.
    fn needs_room(&self, state: &State) -> bool {
        let awaited = state.entering.len().min(LEAVING_MAX);
        state.leaving < awaited || state.taken > self.limit(state) + state.leaving
    }

    /// Gives out the slots that are free, and lets objects leave if more slots are needed.
    fn admit(&self, mut state: MutexGuard<'_, State>) {
        let mut admitted = Vec::new();
        while state.taken < self.limit(&state)
            && let Some(entry) = state.entering.pop_front()
        {
            state.taken += 1;
            state.opening += 1;
            state.patience.moved();
            admitted.push(entry);
        }
        let needs_room = self.needs_room(&state) && !state.idle.is_empty();
        let needs_room = needs_room && !mem::replace(&mut state.making_room, true);
        self.watch(&mut state);
        drop(state);
        let Some(set) = self.this.upgrade() else {
            return;
        };
        for entry in admitted {
            let (slot, opening) = (Slot { set: set.clone() }, Opening { set: set.clone() });
            self.workers.begin(move || {
                let _opening = opening;
                entry(slot);
            });
        }
        if needs_room {
            self.workers.finish(move || set.make_room());
        }
    }

    /// Asks as many objects to leave as others wait for. Called without any lock.
    fn make_room(&self) {
        while let Some((used, object)) = self.next_to_leave() {
            let Some(object) = object.upgrade() else {
                self.stays();
                continue;
            };
            let last_used = object.last_used();
            if last_used != used {
                // It was used since: other objects leave before it.
                self.stays();
                if let Ok(mut state) = lock(&self.state) {
                    state.idle.insert(&object, last_used);
                }
                continue;
            }
            if object.leave() != Leaving::Leaves {
                self.stays();
            }
        }
    }

    /// The object that was not used for the longest time, if an object has to leave.
    fn next_to_leave(&self) -> Option<(u64, Weak<dyn Occupant>)> {
        let mut state = lock(&self.state).ok()?;
        if self.needs_room(&state)
            && let Some(next) = state.idle.pop()
        {
            // Before it is asked: its slot may come back at once.
            state.leaving += 1;
            return Some(next);
        }
        state.making_room = false;
        None
    }

    fn stays(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.leaving = state.leaving.saturating_sub(1);
        }
    }

    /// Looks later whether a slot has moved for the callers that wait.
    fn watch(&self, state: &mut State) {
        if state.entering.is_empty() {
            return;
        }
        let Some((patience, moves)) = state.patience.watch() else {
            return;
        };
        let this = self.this.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(set) = this.upgrade() {
                set.look_again(moves);
            }
        });
    }

    fn look_again(&self, moves: u64) {
        if let Ok(mut state) = lock(&self.state) {
            let may_move = state.leaving > 0 || state.opening > 0;
            state.patience.look(moves, may_move, self.slots_max.load(Ordering::Relaxed));
            self.admit(state);
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        change(&mut state);
        if state.taken <= self.slots_max.load(Ordering::Relaxed) {
            state.patience.reset();
        }
        state.tell_if_empty();
        self.admit(state);
    }
}

impl State {
    /// About how many open objects cannot leave.
    fn staying(&self) -> usize {
        self.taken.saturating_sub(self.idle.len() + self.leaving + self.opening)
    }

    fn tell_if_empty(&mut self) {
        if self.taken == 0 && self.under_way == 0 {
            for waiting in mem::take(&mut self.emptied) {
                // The receiver may have been dropped.
                let _ = waiting.send(());
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set.update(|state| {
            state.taken -= 1;
            state.patience.moved();
            state.leaving = state.leaving.saturating_sub(1);
        });
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.set.update(|state| state.under_way -= 1);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.set.update(|state| state.opening -= 1);
    }
}
