//! The work that waits for a thread, and which of it goes next.
//!
//! *Finishing* work (flush, sync, close, hand over) gives back what other work waits for: durable writes, files, slots
//! of open objects. *Beginning* work (open, create) takes them. Finishing work goes first, but after
//! [`FINISHING_IN_A_ROW`] pieces of it one piece of beginning work goes.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::thread;

use once_cell::sync::Lazy;

/// Most threads with beginning work, which mostly computes: twice the cores, within these bounds.
const BEGINNING_THREADS_MIN: usize = 2;
const BEGINNING_THREADS_MAX: usize = 8;
/// How many pieces of finishing work may go before a piece of beginning work that waits.
const FINISHING_IN_A_ROW: usize = 32;

/// A piece of work.
pub type Work = Box<dyn FnOnce() + Send>;

/// What a piece of work does for other work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It gives back what other work waits for.
    Finishing,
    /// It takes what other work may have to wait for.
    Beginning,
}

/// Work that waits for a thread.
#[derive(Default)]
pub struct Queue {
    finishing: VecDeque<Work>,
    beginning: VecDeque<Work>,
    /// Threads with beginning work.
    begun: usize,
    /// Finishing work that has gone before beginning work which waits.
    in_a_row: usize,
}

impl Queue {
    /// Adds a piece of work.
    pub fn push(&mut self, kind: Kind, work: Work) {
        match kind {
            Kind::Finishing => self.finishing.push_back(work),
            Kind::Beginning => self.beginning.push_back(work),
        }
    }

    /// How many pieces of work could be done now, each by a thread.
    pub fn ready(&self) -> usize {
        let may_begin = beginning_threads().saturating_sub(self.begun);
        self.finishing.len() + self.beginning.len().min(may_begin)
    }

    /// The piece of work that goes next. When it has ended, the thread calls [`Self::ended`].
    pub fn take(&mut self) -> Option<(Kind, Work)> {
        let may_begin = !self.beginning.is_empty() && self.begun < beginning_threads();
        let finishing_goes = !may_begin || self.in_a_row < FINISHING_IN_A_ROW;
        if finishing_goes && let Some(work) = self.finishing.pop_front() {
            self.in_a_row += usize::from(may_begin);
            return Some((Kind::Finishing, work));
        }
        if !may_begin {
            return None;
        }
        self.in_a_row = 0;
        self.begun += 1;
        self.beginning.pop_front().map(|work| (Kind::Beginning, work))
    }

    /// A piece of work has ended.
    pub fn ended(&mut self, kind: Kind) {
        self.begun -= usize::from(kind == Kind::Beginning);
    }

    /// Neither does nor drops what is queued: dropping it could close databases.
    pub fn abandon(&mut self) {
        mem::forget((mem::take(&mut self.finishing), mem::take(&mut self.beginning)));
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Queue")
            .field("finishing", &self.finishing.len())
            .field("beginning", &self.beginning.len())
            .finish_non_exhaustive()
    }
}

/// Most threads with beginning work.
pub fn beginning_threads() -> usize {
    static THREADS: Lazy<usize> = Lazy::new(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (2 * cores).clamp(BEGINNING_THREADS_MIN, BEGINNING_THREADS_MAX)
    });
    *THREADS
}
