//! Syncs that begin before their result is needed: another thread makes them meanwhile, if one has time.
//!
//! If no thread has begun a sync when its result is needed, the thread that needs it makes the sync itself. So no
//! thread ever waits behind other work.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};

use super::pool::Workers;
use crate::error::{Error, Result};
use crate::lock::lock;

type Work = Box<dyn FnOnce() -> Result<()> + Send>;

/// A sync whose result is needed soon.
pub struct EarlySync {
    shared: Arc<Shared>,
}

struct Shared {
    step: Mutex<Step>,
    ended: Condvar,
}

/// `Waiting` -> `Running` -> `Ended` -> `Taken`. A sync that is not needed any more goes from `Waiting` to `Taken`.
enum Step {
    Waiting(Work),
    Running,
    Ended(Result<()>),
    Taken,
}

impl EarlySync {
    /// Lets a thread of `workers` make the sync as soon as one has time.
    pub fn start(workers: &Workers, sync: impl FnOnce() -> Result<()> + Send + 'static) -> Self {
        let step = Mutex::new(Step::Waiting(Box::new(sync)));
        let shared = Arc::new(Shared { step, ended: Condvar::new() });
        let early = shared.clone();
        workers.finish(move || early.make());
        Self { shared }
    }

    /// The result of the sync, which is made here if no thread has begun it.
    pub fn result(&self) -> Result<()> {
        self.shared.make();
        self.shared.take()
    }
}

impl Shared {
    /// Makes the sync, unless it is being made already.
    fn make(&self) {
        let Ok(mut step) = lock(&self.step) else {
            return;
        };
        if !matches!(*step, Step::Waiting(_)) {
            return;
        }
        let Step::Waiting(work) = std::mem::replace(&mut *step, Step::Running) else {
            return;
        };
        drop(step);
        let result = catch_unwind(AssertUnwindSafe(work));
        let panicked = |_| Err(Error::Internal("a panic has ended a sync".into()));
        if let Ok(mut step) = lock(&self.step) {
            *step = Step::Ended(result.unwrap_or_else(panicked));
        }
        self.ended.notify_all();
    }

    /// Waits for the thread that makes the sync: only the disk can delay it.
    fn take(&self) -> Result<()> {
        let running = |step: &mut Step| matches!(step, Step::Running);
        let Ok(mut step) = self.ended.wait_while(lock(&self.step)?, running) else {
            return Err(Error::Internal("a panic has ended a sync".into()));
        };
        match std::mem::replace(&mut *step, Step::Taken) {
            Step::Ended(result) => result,
            Step::Waiting(_) | Step::Running | Step::Taken => Ok(()),
        }
    }
}

/// A sync whose result is not needed any more is not begun. If it has begun, this waits for its end.
impl Drop for EarlySync {
    fn drop(&mut self) {
        if let Ok(mut step) = lock(&self.shared.step)
            && matches!(*step, Step::Waiting(_))
        {
            *step = Step::Taken;
        }
        let _ = self.shared.take();
    }
}

impl fmt::Debug for EarlySync {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EarlySync")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_sync_that_no_thread_has_begun_is_made_by_the_thread_that_needs_it_and_only_once() {
        // Without a thread, no queued work is done.
        let workers = Workers::default();
        let (send, receive) = channel();
        let early = EarlySync::start(&workers, move || {
            send.send(std::thread::current().id()).unwrap();
            Err(Error::Closed)
        });
        assert_eq!(early.result(), Err(Error::Closed));
        drop((early, workers));
        assert!(receive.iter().count() == 1);
    }

    #[test]
    fn a_sync_whose_result_is_not_needed_any_more_is_not_begun() {
        let workers = Workers::default();
        drop(EarlySync::start(&workers, || panic!("begun")));
        workers.start().unwrap();
    }

    #[test]
    fn a_sync_that_panics_is_an_error() {
        let workers = Workers::default();
        workers.start().unwrap();
        let early = EarlySync::start(&workers, || panic!("on command"));
        assert!(matches!(early.result(), Err(Error::Internal(_))));
    }
}
