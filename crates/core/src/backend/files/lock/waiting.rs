//! How long to wait between two looks at what another process does: the more callers wait, the longer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// This many callers look as often as each wants to.
const AT_ONCE: u32 = 16;

static WAITING: AtomicU32 = AtomicU32::new(0);

/// Waits for another process, until it is dropped.
#[derive(Debug)]
pub struct Waiting(());

impl Waiting {
    /// One more caller waits.
    pub fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Waits before the next look: for `least`, and longer while many callers wait.
    pub async fn pause(&self, least: Duration) {
        let others = WAITING.load(Ordering::Relaxed) / AT_ONCE;
        tokio::time::sleep(least * (1 + others)).await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}
