//! The levels of an overlay that have begun and have not ended. Each knows the objects that were written in it.

use std::sync::Mutex;

use crate::error::Result;
use crate::lock::lock;
use crate::object_key::ObjectKey;

/// The levels, oldest first.
#[derive(Debug, Default)]
pub struct Levels(Mutex<Vec<Vec<ObjectKey>>>);

impl Levels {
    /// How many levels have begun and have not ended.
    pub fn depth(&self) -> Result<usize> {
        Ok(lock(&self.0)?.len())
    }

    /// Begins a level.
    pub(crate) fn push(&self) -> Result<()> {
        lock(&self.0)?.push(Vec::new());
        Ok(())
    }

    /// Ends the newest level. Returns the objects that were written in it, if a level had begun, and how many levels are
    /// left.
    pub(crate) fn pop(&self) -> Result<(Option<Vec<ObjectKey>>, usize)> {
        let mut levels = lock(&self.0)?;
        Ok((levels.pop(), levels.len()))
    }

    /// Notes the first write to `object` in the newest level.
    pub(crate) fn enter(&self, object: &ObjectKey) -> Result<()> {
        if let Some(newest) = lock(&self.0)?.last_mut() {
            newest.push(object.clone());
        }
        Ok(())
    }
}
