//! Reads the object below an overlay. If that object answers later, this thread waits for the answer.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::answer::{Answer, Pending};
use crate::backend::{ObjectStorage, ReadResult, ReadView, SqlStorage, Store};
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::range::Scan;

/// Runs a future on other threads than the caller's; false if there are no such threads.
pub type Spawn = Arc<dyn Fn(Pending<()>) -> bool + Send + Sync>;

/// Longest wait for one answer. What delays the store below (a turn, another process) has a shorter limit of its own.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The object below, read as if it were in this process.
pub struct Below {
    store: Arc<dyn Store>,
    object: Arc<dyn ObjectStorage>,
    spawn: Spawn,
}

impl Below {
    /// Reads `object`, which is in `store`.
    pub fn new(store: Arc<dyn Store>, object: Arc<dyn ObjectStorage>, spawn: Spawn) -> Self {
        Self { store, object, spawn }
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let read = self.object.read(vec![Key::from(key)], ReadView::Latest(None));
        Ok(self.wait(read)?.pop().flatten())
    }

    /// The entries of a walk, in its order.
    pub fn list(&self, scan: Scan) -> Result<Vec<Entry>> {
        self.wait(self.object.list(scan, ReadView::Latest(None)))
    }

    /// The alarm, in milliseconds.
    pub fn alarm(&self) -> Result<Option<i64>> {
        self.wait(self.object.alarm(ReadView::Latest(None)))
    }

    /// The bytes of the SQLite database; nothing if the object is not SQLite-backed.
    pub fn sql_image(&self) -> Result<Option<Vec<u8>>> {
        match self.object.sql().map(SqlStorage::sql_image) {
            Some(Answer::Now(result)) => result,
            Some(Answer::Later(pending)) => self.wait_for(pending),
            None => Ok(None),
        }
    }

    fn wait<R: Send + 'static>(&self, answer: Answer<ReadResult<R>>) -> Result<R> {
        let read = match answer {
            Answer::Now(result) => result,
            Answer::Later(pending) => self.wait_for(pending),
        };
        match read? {
            ReadResult::Value(found) => Ok(found),
            ReadResult::Conflict(_) => {
                Err(Error::Internal("a read of the newest state is a conflict".into()))
            }
        }
    }

    fn wait_for<R: Send + 'static>(&self, pending: Pending<R>) -> Result<R> {
        // This turn of the event loop ends only after the answer has come.
        self.store.flush();
        let (send, receive) = sync_channel(1);
        let spawned = (self.spawn)(Box::pin(async move {
            // The wait may have ended before.
            let _ = send.send(pending.await);
            Ok(())
        }));
        if !spawned {
            return Err(Error::Internal("the system gives no threads".into()));
        }
        let wait = || receive.recv_timeout(WAIT_MAX);
        // A thread that runs other futures hands them to another thread before it sleeps.
        let runs_futures = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        match if runs_futures { block_in_place(wait) } else { wait() } {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(Error::NoAnswer { seconds: WAIT_MAX.as_secs() }),
            Err(RecvTimeoutError::Disconnected) => Err(Error::Closed),
        }
    }
}
