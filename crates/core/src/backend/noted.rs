//! Notes the names of objects in memory. A note says which name an id was made of, so that it can never be wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::ObjectKey;
use crate::error::Result;
use crate::key::Value;
use crate::lock::lock;

/// The names that were noted in one store.
#[derive(Clone, Debug, Default)]
pub struct NotedNames(Arc<Mutex<HashMap<ObjectKey, Value>>>);

impl NotedNames {
    /// Notes a name, or removes the note.
    pub fn note(&self, key: &ObjectKey, name: Option<&str>) -> Result<()> {
        let mut names = lock(&self.0)?;
        match name {
            Some(name) => names.insert(key.clone(), Arc::from(name.as_bytes())),
            None => names.remove(key),
        };
        Ok(())
    }

    /// The name that was noted.
    pub fn get(&self, key: &ObjectKey) -> Result<Option<Value>> {
        Ok(lock(&self.0)?.get(key).cloned())
    }
}
