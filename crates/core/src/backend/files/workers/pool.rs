//! The threads on which files are opened, flushed and closed: a few of them, however many objects exist.
//!
//! **Work never waits for work that is queued here.** It may wait for the disk. What has to come after other work is
//! queued by that work when it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use once_cell::sync::Lazy;

use super::queue::{Kind, Queue, Work};
use crate::error::{Error, Result};
use crate::lock::lock;

/// Most threads. Most of them wait for the disk, which makes many syncs durable at once.
pub const THREADS_MAX: usize = 32;
/// How long a thread without work stays. One thread stays for ever.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// The threads of this process.
static SHARED: Lazy<Arc<Workers>> = Lazy::new(Arc::default);

/// A few threads and their work.
#[derive(Debug, Default)]
pub struct Workers {
    pool: Arc<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    state: Mutex<State>,
    /// Work was queued, or the threads have to end.
    work: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    threads: usize,
    /// Threads that wait for work, or have just been started.
    idle: usize,
    stopped: bool,
}

impl Workers {
    /// The threads that all directories of this process share.
    pub fn shared() -> Arc<Self> {
        SHARED.clone()
    }

    /// Makes sure that a thread runs, which then stays: with one thread, all work is done sooner or later.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(&self) -> Result<()> {
        let mut state = lock(&self.pool.state)?;
        if state.threads == 0 && !Pool::add_thread(&self.pool, &mut state) {
            return Err(Error::Internal("the system gives no threads".into()));
        }
        Ok(())
    }

    /// Queues work that gives back what other work waits for.
    pub fn finish(&self, work: impl FnOnce() + Send + 'static) {
        self.queue(Kind::Finishing, Box::new(work));
    }

    /// Queues work that takes what other work may have to wait for.
    pub fn begin(&self, work: impl FnOnce() + Send + 'static) {
        self.queue(Kind::Beginning, Box::new(work));
    }

    fn queue(&self, kind: Kind, work: Work) {
        let Ok(mut state) = lock(&self.pool.state) else {
            return;
        };
        if state.stopped {
            // The process ends. To run the work, or to drop what it has captured, could call RocksDB.
            std::mem::forget(work);
            return;
        }
        state.queue.push(kind, work);
        Pool::wake(&self.pool, &mut state);
    }

    /// How many threads run.
    pub fn threads(&self) -> usize {
        lock(&self.pool.state).map_or(0, |state| state.threads)
    }

    /// Ends the threads because the process ends. Work that has begun is finished, within `limit`; queued work is not begun.
    pub fn end(&self, limit: Duration) {
        let Ok(mut state) = lock(&self.pool.state) else {
            return;
        };
        state.stopped = true;
        state.queue.abandon();
        self.pool.work.notify_all();
        let _ended = self.pool.ended.wait_timeout_while(state, limit, |state| state.threads > 0);
    }
}

/// Queued work holds its [`Workers`], so no work is queued now.
impl Drop for Workers {
    fn drop(&mut self) {
        if let Ok(mut state) = lock(&self.pool.state) {
            state.stopped = true;
        }
        self.pool.work.notify_all();
    }
}

/// Ends the threads of this process, as [`Workers::end`] does.
pub fn end_shared(limit: Duration) {
    if let Some(workers) = Lazy::get(&SHARED) {
        workers.end(limit);
    }
}

impl Pool {
    /// Finds a thread for queued work: one that waits, or a new one.
    fn wake(this: &Arc<Self>, state: &mut State) {
        let ready = state.queue.ready();
        if ready > state.idle && state.threads < THREADS_MAX {
            // If the system gives no thread, the others do the work.
            Self::add_thread(this, state);
        }
        if ready > 0 && state.idle > 0 {
            this.work.notify_one();
        }
    }

    fn add_thread(this: &Arc<Self>, state: &mut State) -> bool {
        let pool = this.clone();
        let started = thread::Builder::new().name("ferroflare".into()).spawn(move || pool.serve());
        state.threads += usize::from(started.is_ok());
        state.idle += usize::from(started.is_ok());
        started.is_ok()
    }

    /// What a thread does.
    fn serve(self: Arc<Self>) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        state.idle -= 1;
        while !state.stopped {
            let Some((kind, work)) = state.queue.take() else {
                state.idle += 1;
                let Ok((again, waited)) = self.work.wait_timeout(state, IDLE_MAX) else {
                    return;
                };
                state = again;
                state.idle -= 1;
                if waited.timed_out() && state.threads > 1 && state.queue.ready() == 0 {
                    break;
                }
                continue;
            };
            // More work may wait than this thread can do now.
            Self::wake(&self, &mut state);
            drop(state);
            // Work that callers wait for tells them of its panic.
            let _ = catch_unwind(AssertUnwindSafe(work));
            let Ok(again) = lock(&self.state) else {
                return;
            };
            state = again;
            state.queue.ended(kind);
        }
        state.threads -= 1;
        self.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::super::queue::beginning_threads;
    use super::*;

    /// Workers whose threads for beginning work are all busy until the sender is dropped.
    fn busy() -> (Workers, std::sync::mpsc::Sender<()>) {
        let workers = Workers::default();
        workers.start().unwrap();
        let (release, blocked) = channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        let (begun, has_begun) = channel();
        for _ in 0..beginning_threads() {
            let (blocked, begun) = (blocked.clone(), begun.clone());
            workers.begin(move || {
                begun.send(()).unwrap();
                let _ = blocked.lock().unwrap().recv();
            });
        }
        for _ in 0..beginning_threads() {
            has_begun.recv().unwrap();
        }
        (workers, release)
    }

    #[test]
    fn finishing_work_is_done_while_beginning_work_has_all_its_threads_and_more_of_it_waits() {
        let (workers, release) = busy();
        let (send, receive) = channel();
        for _ in 0..1000 {
            let send = send.clone();
            workers.begin(move || send.send("begun").unwrap());
        }
        for _ in 0..100 {
            let send = send.clone();
            workers.finish(move || send.send("finished").unwrap());
        }
        let first: Vec<_> = (0..100).map(|_| receive.recv().unwrap()).collect();
        assert_eq!(first, ["finished"; 100]);
        assert!(workers.threads() <= THREADS_MAX, "{} threads", workers.threads());
        drop(release);
        let rest: Vec<_> = (0..1000).map(|_| receive.recv().unwrap()).collect();
        assert_eq!(rest, ["begun"; 1000]);
    }

    fn go_on(workers: &Arc<Workers>, ended: &Arc<AtomicBool>) {
        let (again, ended) = (workers.clone(), ended.clone());
        workers.finish(move || {
            if !ended.load(Ordering::Relaxed) {
                go_on(&again, &ended);
            }
        });
    }

    #[test]
    fn beginning_work_comes_between_finishing_work_that_never_ends() {
        let workers = Arc::new(Workers::default());
        workers.start().unwrap();
        let (send, receive) = channel();
        let ended = Arc::default();
        for _ in 0..2 * THREADS_MAX {
            go_on(&workers, &ended);
        }
        workers.begin(move || send.send(()).unwrap());
        receive.recv().unwrap();
        ended.store(true, Ordering::Relaxed);
    }

    #[test]
    fn work_that_panics_leaves_its_thread() {
        let workers = Workers::default();
        workers.start().unwrap();
        let (send, receive) = channel();
        for _ in 0..2 * THREADS_MAX {
            workers.begin(|| panic!("on command"));
        }
        workers.begin(move || send.send(()).unwrap());
        receive.recv().unwrap();
    }

    #[test]
    fn the_end_waits_for_what_runs_and_begins_nothing() {
        let (workers, release) = busy();
        workers.begin(|| panic!("begun after the end"));
        let ending = thread::spawn(move || {
            workers.end(Duration::from_secs(60));
            workers.threads()
        });
        drop(release);
        assert_eq!(ending.join().unwrap(), 0);
    }
}
