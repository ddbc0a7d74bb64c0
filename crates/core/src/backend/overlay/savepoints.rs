//! The savepoints of an overlay that have begun and have not ended. Each knows the objects that were written in it.

use std::sync::Mutex;

use crate::error::Result;
use crate::lock::lock;
use crate::object_key::ObjectKey;

/// The savepoints, oldest first.
#[derive(Debug, Default)]
pub struct Savepoints(Mutex<Vec<Vec<ObjectKey>>>);

impl Savepoints {
    /// How many savepoints have begun and have not ended.
    pub fn depth(&self) -> Result<usize> {
        Ok(lock(&self.0)?.len())
    }

    /// Begins a savepoint.
    pub(crate) fn push(&self) -> Result<()> {
        lock(&self.0)?.push(Vec::new());
        Ok(())
    }

    /// Ends the newest savepoint. Returns the objects that were written in it, if a savepoint had begun, and how many
    /// savepoints are left.
    pub(crate) fn pop(&self) -> Result<(Option<Vec<ObjectKey>>, usize)> {
        let mut savepoints = lock(&self.0)?;
        Ok((savepoints.pop(), savepoints.len()))
    }

    /// Notes the first write to `object` in the newest savepoint.
    pub(crate) fn enter(&self, object: &ObjectKey) -> Result<()> {
        if let Some(newest) = lock(&self.0)?.last_mut() {
            newest.push(object.clone());
        }
        Ok(())
    }
}
