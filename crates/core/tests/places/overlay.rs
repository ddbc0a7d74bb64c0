//! An overlay under test: above data that it hides, in its second savepoint.

use std::sync::Arc;

use ferroflare_core::backend::Store;
use ferroflare_core::backend::memory::MemoryStore;
use ferroflare_core::backend::overlay::OverlayStore;
use ferroflare_core::backend::overlay::below::Spawn;

use super::{Opening, TestPlace};
use crate::support::{alarm, clear, now, object_key, put};

pub(crate) struct Overlay;

impl TestPlace for Overlay {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { Self::above_old_data() as Arc<dyn Store> })
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn log_shares_keys(&self) -> bool {
        false
    }

    fn forgets_emptied_objects(&self) -> bool {
        true
    }

    fn cost(&self) -> u32 {
        1
    }
}

impl Overlay {
    fn above_old_data() -> Arc<OverlayStore> {
        let below = Arc::new(MemoryStore::new());
        let stored = below.object(&object_key("one")).unwrap();
        let mut old = put(&["a", "b", "c", "key", "z"], "below");
        old.set_alarm(Some(1));
        now(stored.write(old, None)).unwrap();

        let place = Arc::new(OverlayStore::new(below, no_threads()));
        let object = place.object(&object_key("one")).unwrap();
        now(object.write(put(&["a", "d"], "above"), None)).unwrap();
        place.push().unwrap();
        let mut nothing = clear();
        nothing.append(alarm(None));
        now(object.write(nothing, None)).unwrap();
        place
    }
}

/// For places below that need not wait.
pub(crate) fn no_threads() -> Spawn {
    Arc::new(|_| false)
}
