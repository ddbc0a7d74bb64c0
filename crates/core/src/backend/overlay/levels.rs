//! The levels of an overlay that have begun and not ended, each with the objects that were written in it.

use std::sync::Mutex;

use crate::error::Result;
use crate::lock::lock;
use crate::object_key::ObjectKey;

/// The levels, oldest first.
#[derive(Debug, Default)]
pub struct Levels(Mutex<Vec<Vec<ObjectKey>>>);

impl Levels {
    /// How many levels have begun and not ended.
    pub fn depth(&self) -> Result<usize> {
        Ok(lock(&self.0)?.len())
    }

    /// Begins a level.
    pub(crate) fn push(&self) -> Result<()> {
        lock(&self.0)?.push(Vec::new());
        Ok(())
    }

    /// Ends the newest level. Gives the objects that were written in it, if a level has begun, and how many are left.
    pub(crate) fn pop(&self) -> Result<(Option<Vec<ObjectKey>>, usize)> {
        let mut levels = lock(&self.0)?;
        Ok((levels.pop(), levels.len()))
    }

    /// Notes that `object` is written in the newest level, for the first time there.
    pub(crate) fn enter(&self, object: &ObjectKey) -> Result<()> {
        if let Some(newest) = lock(&self.0)?.last_mut() {
            newest.push(object.clone());
        }
        Ok(())
    }
}
