//! The memory backend under test.

use std::sync::Arc;

use ferroflare_core::backend::Store;
use ferroflare_core::backend::memory::MemoryStore;

use super::{Opening, TestPlace};

pub(crate) struct Memory;

impl TestPlace for Memory {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(MemoryStore::new()) as Arc<dyn Store> })
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
