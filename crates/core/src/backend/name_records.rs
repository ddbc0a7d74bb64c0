//! Records the names that ids were made of, in memory. An id is always made of the same name, so no record can be wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::ObjectKey;
use crate::error::Result;
use crate::key::Value;
use crate::lock::lock;

/// The names that were recorded in one store.
#[derive(Clone, Debug, Default)]
pub struct NameRecords(Arc<Mutex<HashMap<ObjectKey, Value>>>);

impl NameRecords {
    /// Records the name of an object; without a name the record is removed.
    pub fn write(&self, key: &ObjectKey, name: Option<&str>) -> Result<()> {
        let mut names = lock(&self.0)?;
        match name {
            Some(name) => names.insert(key.clone(), Arc::from(name.as_bytes())),
            None => names.remove(key),
        };
        Ok(())
    }

    /// The name that was recorded.
    pub fn read(&self, key: &ObjectKey) -> Result<Option<Value>> {
        Ok(lock(&self.0)?.get(key).cloned())
    }
}
