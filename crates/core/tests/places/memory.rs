//! The memory backend under test.

use std::sync::Arc;

use ferroflare_core::backend::Place;
use ferroflare_core::backend::memory::MemoryPlace;

use super::TestPlace;

pub(crate) struct Memory;

impl TestPlace for Memory {
    fn open(&self) -> Arc<dyn Place> {
        Arc::new(MemoryPlace::new())
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn log_shares_keys(&self) -> bool {
        true
    }
}
