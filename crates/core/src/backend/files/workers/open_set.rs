//! Which objects are open: at most so many at once, however many are asked for.
//!
//! An object that is to be opened gets a [`Slot`], which it keeps until its database is closed. Without a free one it
//! waits in order of arrival, and of the objects that are open and idle those that were not used for the longest time
//! are closed. What a transaction or an unsealed batch keeps open cannot be closed; its end is told by
//! [`OpenSet::idle`].
//!
//! **Nothing waits for ever.** A transaction may wait for an object that waits for a slot, and so keep all slots taken.
//! When nothing has moved for [`PATIENCE`], more may be open, and after twice the wait twice as many more: as many as
//! cannot be closed, and the limit. So the limit holds again when these transactions have ended.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::pool::Workers;
use crate::lock::lock;

/// How long all slots may be taken by objects that cannot be closed, before there are more.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest such wait, in doublings of the first one.
const PATIENCE_DOUBLINGS_MAX: u32 = 7;
/// Most objects that are being closed at once to make room.
const LEAVING_MAX: usize = 16;

/// An object that is open, as the set sees it.
pub trait Occupant: Send + Sync {
    /// Stamp of the last use: the larger, the later.
    fn last_used(&self) -> u64;

    /// Begins to close the object, if it is idle. Never called with anything locked.
    fn leave(&self) -> Leaving;
}

/// What becomes of an object that is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Its slot is on its way back.
    Leaves,
    /// It cannot leave now; [`OpenSet::idle`] is called when it can.
    Stays,
    /// It is not open.
    Absent,
}

/// What is done with a slot.
type Entry = Box<dyn FnOnce(Slot) + Send>;

/// The objects of one place that are open.
pub struct OpenSet {
    state: Mutex<State>,
    slots_max: AtomicUsize,
    workers: Arc<Workers>,
    runtime: Handle,
    this: Weak<Self>,
}

#[derive(Default)]
struct State {
    /// Slots that are out.
    taken: usize,
    /// Slots on their way back from objects that were asked to leave.
    leaving: usize,
    /// Slots whose objects are being opened.
    opening: usize,
    /// Most slots beyond the limit, after nothing has moved.
    extra: usize,
    /// What waits for a slot, in order of arrival.
    entering: VecDeque<Entry>,
    /// Objects that may be asked to leave, by a use that may not be the last any more.
    by_use: BTreeMap<(u64, usize), Weak<dyn Occupant>>,
    /// The place of each in `by_use`.
    uses: HashMap<usize, u64>,
    /// Whether somebody is about to make room.
    making_room: bool,
    /// Counts slots that were given out or came back.
    moves: u64,
    /// Whether a timer runs that looks whether anything has moved, and how often nothing had.
    watched: bool,
    stills: u32,
    /// Everything that may still take a slot.
    under_way: usize,
    /// Those who wait until the set is empty.
    emptied: Option<Vec<oneshot::Sender<()>>>,
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
    /// An empty set, with room for nothing.
    pub fn new(workers: Arc<Workers>, runtime: Handle) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::default(),
            slots_max: AtomicUsize::new(1),
            workers,
            runtime,
            this: this.clone(),
        })
    }

    /// Allows at least so many objects to be open.
    pub fn allow(&self, slots: usize) {
        self.slots_max.fetch_max(slots, Ordering::Relaxed);
        self.make_room_soon();
    }

    /// Who does the work.
    pub fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Lets the set wait, when it is closed, for something that may still take a slot.
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

    /// Gives `entry` a slot as soon as there is one; it runs on a thread for beginning work. May be called with an
    /// object locked.
    pub fn enter(&self, entry: impl FnOnce(Slot) + Send + 'static) {
        self.queue(Box::new(entry), false);
    }

    /// The same before all others, for what holds something that others wait for.
    pub fn enter_first(&self, entry: impl FnOnce(Slot) + Send + 'static) {
        self.queue(Box::new(entry), true);
    }

    fn queue(&self, entry: Entry, first: bool) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        if first {
            state.entering.push_front(entry);
        } else {
            state.entering.push_back(entry);
        }
        self.admit(state);
    }

    /// An object is open, or was opened once more.
    pub fn opened(&self, object: &Arc<dyn Occupant>) {
        self.idle(object);
    }

    /// An object that could not leave can now. May be called with the object locked.
    pub fn idle(&self, object: &Arc<dyn Occupant>) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        state.list(object, object.last_used());
        self.admit(state);
    }

    /// Tells when no object is open and none is to be opened.
    pub fn emptied(&self) -> oneshot::Receiver<()> {
        let (send, receive) = oneshot::channel();
        if let Ok(mut state) = lock(&self.state) {
            state.emptied.get_or_insert_default().push(send);
            state.tell_if_empty();
        }
        receive
    }

    /// How many objects are open or being opened.
    pub fn taken(&self) -> usize {
        lock(&self.state).map_or(0, |state| state.taken)
    }

    /// How many may be open now.
    fn limit(&self, state: &State) -> usize {
        let most = self.slots_max.load(Ordering::Relaxed);
        most + state.staying().min(state.extra)
    }

    /// Whether more objects have to leave than do already.
    fn needs_room(&self, state: &State) -> bool {
        let awaited = state.entering.len().min(LEAVING_MAX);
        state.leaving < awaited || state.taken > self.limit(state) + state.leaving
    }

    /// Gives out the slots that are free, and sees to it that there will be more.
    fn admit(&self, mut state: std::sync::MutexGuard<'_, State>) {
        let mut admitted = Vec::new();
        while state.taken < self.limit(&state)
            && let Some(entry) = state.entering.pop_front()
        {
            state.taken += 1;
            state.opening += 1;
            state.moves += 1;
            admitted.push(entry);
        }
        let needs_room = self.needs_room(&state) && !state.by_use.is_empty();
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

    fn make_room_soon(&self) {
        if let Ok(state) = lock(&self.state) {
            self.admit(state);
        }
    }

    /// Asks objects to leave, as many as others wait for. Called with nothing locked.
    fn make_room(&self) {
        while let Some((used, object)) = self.next_to_leave() {
            let Some(object) = object.upgrade() else {
                self.stays();
                continue;
            };
            let last_used = object.last_used();
            if last_used != used {
                // Used since: others come first.
                self.stays();
                if let Ok(mut state) = lock(&self.state) {
                    state.list(&object, last_used);
                }
                continue;
            }
            if object.leave() != Leaving::Leaves {
                self.stays();
            }
        }
    }

    /// The object that was not used for the longest time, if one has to leave.
    fn next_to_leave(&self) -> Option<(u64, Weak<dyn Occupant>)> {
        let mut state = lock(&self.state).ok()?;
        if self.needs_room(&state)
            && let Some(((used, address), object)) = state.by_use.pop_first()
        {
            state.uses.remove(&address);
            // Before it is asked: it may be gone at once.
            state.leaving += 1;
            return Some((used, object));
        }
        state.making_room = false;
        None
    }

    fn stays(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.leaving = state.leaving.saturating_sub(1);
        }
    }

    /// Looks later whether anything has moved for those who wait.
    fn watch(&self, state: &mut State) {
        if state.entering.is_empty() || mem::replace(&mut state.watched, true) {
            return;
        }
        let (this, moves) = (self.this.clone(), state.moves);
        let patience = PATIENCE * 2_u32.pow(state.stills.min(PATIENCE_DOUBLINGS_MAX));
        self.runtime.spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(set) = this.upgrade() {
                set.look_again(moves);
            }
        });
    }

    fn look_again(&self, moves: u64) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        state.watched = false;
        if state.moves == moves && state.leaving == 0 && state.opening == 0 {
            let most = self.slots_max.load(Ordering::Relaxed);
            state.extra += most << state.stills.min(PATIENCE_DOUBLINGS_MAX);
            state.stills += 1;
        }
        self.admit(state);
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        change(&mut state);
        if state.taken <= self.slots_max.load(Ordering::Relaxed) {
            state.extra = 0;
            state.stills = 0;
        }
        state.tell_if_empty();
        self.admit(state);
    }
}

impl State {
    /// About how many are open that cannot leave.
    fn staying(&self) -> usize {
        self.taken.saturating_sub(self.by_use.len() + self.leaving + self.opening)
    }

    fn list(&mut self, object: &Arc<dyn Occupant>, used: u64) {
        let address = Arc::as_ptr(object).cast::<()>() as usize;
        if let Some(before) = self.uses.insert(address, used) {
            self.by_use.remove(&(before, address));
        }
        self.by_use.insert((used, address), Arc::downgrade(object));
    }

    fn tell_if_empty(&mut self) {
        if self.taken == 0 && self.under_way == 0 {
            for waiting in self.emptied.iter_mut().flat_map(mem::take) {
                // Whoever has waited may be gone.
                let _ = waiting.send(());
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set.update(|state| {
            state.taken -= 1;
            state.moves += 1;
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
