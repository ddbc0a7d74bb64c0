//! The memory backend under test.

use std::sync::Arc;

use ferroflare_core::backend::Place;
use ferroflare_core::backend::memory::MemoryPlace;

use super::{Opening, TestPlace};

pub(crate) struct Memory;

impl TestPlace for Memory {
    fn open(&self) -> Opening<'_, Arc<dyn Place>> {
        Box::pin(async { Arc::new(MemoryPlace::new()) as Arc<dyn Place> })
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn log_shares_keys(&self) -> bool {
        true
    }

    fn forgets_emptied_objects(&self) -> bool {
        true
    }

    fn cost(&self) -> u32 {
        1
    }
}
