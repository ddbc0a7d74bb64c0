//! How long to wait between two looks at something that another process does: the longer, the more wait like this.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// So many look as often as each wants to.
const AT_ONCE: u32 = 16;

static WAITING: AtomicU32 = AtomicU32::new(0);

/// Waits for another process, until it is dropped.
#[derive(Debug)]
pub struct Waiting(());

impl Waiting {
    /// One more who waits.
    pub fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Waits before the next look: at least for `least`, and longer while many look.
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
