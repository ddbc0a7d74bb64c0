//! The threads on which later answers are awaited and files are opened and flushed. They start with the
//! first of these: a process that uses only memory never has them.

use std::future::Future;

use once_cell::sync::Lazy;
use tokio::runtime::{Builder, Handle, Runtime};

static RUNTIME: Lazy<Option<Runtime>> = Lazy::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("ferroflare")
        .enable_time()
        .build()
        .ok()
});

/// The runtime, for backends; none when the system gives no threads.
pub(crate) fn handle() -> Option<Handle> {
    RUNTIME.as_ref().map(|runtime| runtime.handle().clone())
}

/// Runs `future` in the background; false when the system gives no threads.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> bool {
    RUNTIME
        .as_ref()
        .map(|runtime| runtime.spawn(future))
        .is_some()
}
