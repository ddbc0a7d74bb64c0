//! SQLite-backed objects under test, in memory, in an overlay and on files.

use std::sync::Arc;

use ferroflare_core::backend::memory::MemoryStore;
use ferroflare_core::backend::{ObjectKey, ObjectStorage, Store};
use ferroflare_core::key::Value;
use ferroflare_core::{Answer, Result};

use super::{Directory, FSYNC, Opening, Overlay, TestPlace};

/// Objects in memory whose classes are SQLite-backed.
pub(crate) struct SqliteMemory;

/// The same in an overlay.
pub(crate) struct SqliteOverlay;

/// The same on files.
pub(crate) struct SqliteFiles;

impl TestPlace for SqliteMemory {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { SqlitePlace::over(Arc::new(MemoryStore::new())) })
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
        4
    }
}

impl TestPlace for SqliteOverlay {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { SqlitePlace::over(Overlay.open().await) })
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
        4
    }
}

impl TestPlace for SqliteFiles {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { SqlitePlace::over(Directory::new().open_apart(FSYNC)) })
    }

    fn open_twice(&self) -> Opening<'_, [Arc<dyn Store>; 2]> {
        let directory = Directory::new();
        Box::pin(async move { [(); 2].map(|()| SqlitePlace::over(directory.open_apart(FSYNC))) })
    }

    fn answers_at_once(&self) -> bool {
        false
    }

    fn log_shares_keys(&self) -> bool {
        false
    }

    fn forgets_emptied_objects(&self) -> bool {
        false
    }

    fn cost(&self) -> u32 {
        40
    }
}

/// A place whose objects become SQLite-backed before they are used.
struct SqlitePlace(Arc<dyn Store>);

impl SqlitePlace {
    fn over(below: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Self(below))
    }
}

impl Store for SqlitePlace {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        let object = self.0.object(key)?;
        if let Some(sql) = object.sql() {
            match sql.open_sql() {
                Answer::Now(Ok(())) => sql.close_sql(),
                Answer::Now(Err(error)) => return Err(error),
                // It is opened, and not kept open.
                Answer::Later(_) => {}
            }
        }
        Ok(object)
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        self.0.alarms(names)
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        self.0.next_alarm(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        self.0.due_alarms(names, now_ms)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        self.0.object_ids(name)
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        self.0.object_names()
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        self.0.record_name(key, name)
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        self.0.recorded_name(key)
    }

    fn close(&self) -> Answer<()> {
        self.0.close()
    }
}
