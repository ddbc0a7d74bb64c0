//! The threads that wait for later answers and talk to Redis, and the end of all threads. The first use starts them: a
//! process that uses only memory never has them.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ferroflare_core::Error;
use ferroflare_core::backend::files::workers;
use napi_derive::napi;
use once_cell::sync::Lazy;
use tokio::runtime::{Builder, Handle, Runtime};

/// Whether the threads have ended, because the process ends.
static ENDED: AtomicBool = AtomicBool::new(false);

/// How long the end of the process waits for work on files.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Most threads that look up the names of hosts; work on files has threads of its own.
const BLOCKING_THREADS_MAX: usize = 8;

static RUNTIME: Lazy<Mutex<Option<Runtime>>> = Lazy::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("ferroflare")
        .enable_all()
        .build();
    Mutex::new(runtime.ok())
});

/// The runtime; an error says why it does not exist.
pub(crate) fn required() -> Result<Handle, Error> {
    handle().ok_or_else(|| {
        if ENDED.load(Ordering::Acquire) {
            Error::Ending
        } else {
            Error::Internal("the system gives no threads".into())
        }
    })
}

/// The runtime, if it exists.
pub(crate) fn handle() -> Option<Handle> {
    if ENDED.load(Ordering::Acquire) {
        return None;
    }
    let runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    runtime.as_ref().map(|runtime| runtime.handle().clone())
}

/// Runs `future` in the background; false if the system gives no threads.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> bool {
    handle().map(|runtime| runtime.spawn(future)).is_some()
}

/// Ends the threads, because the process ends. They finish what they are doing first: a thread that is inside RocksDB while
/// the process frees its memory aborts the process.
#[napi(catch_unwind)]
pub fn end_threads() {
    ENDED.store(true, Ordering::Release);
    workers::end_shared(END_LIMIT);
    let Some(runtime) = Lazy::get(&RUNTIME) else {
        return;
    };
    let runtime = runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(runtime) = runtime {
        runtime.shutdown_timeout(END_LIMIT);
    }
}
