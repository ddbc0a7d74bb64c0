//! The marker file of an object's alarm, by which the alarm is found without opening the object.
//!
//! An alarm is announced before it is stored, and its marker is removed after the alarm is gone. So a marker may exist
//! without its alarm, but no alarm is stored without its marker.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::backend::ObjectKey;
use crate::backend::files::disk::atomic_file::create_marker;
use crate::backend::files::shared::Shared;
use crate::error::Result;
use crate::lock::lock;

/// The marker of the alarm of one object that this process has.
pub struct AlarmMarker {
    shared: Arc<Shared>,
    key: ObjectKey,
    /// The alarm whose marker exists.
    announced: Mutex<Option<i64>>,
}

impl AlarmMarker {
    /// The marker of an object whose database has this alarm. A marker that a killed process has left is removed; one
    /// that a power loss has taken is made again.
    pub fn repair(shared: &Arc<Shared>, key: &ObjectKey, alarm: Option<i64>) -> Result<Self> {
        let this = Self { shared: shared.clone(), key: key.clone(), announced: Mutex::new(alarm) };
        if let Ok(Some(found)) = shared.alarms.get(key)
            && alarm != Some(found)
        {
            let _ = fs::remove_file(this.path(found));
        }
        match alarm {
            Some(at) if !this.path(at).exists() => this.make(at)?,
            _ => {}
        }
        Ok(this)
    }

    /// Makes the marker of an alarm that will be stored; gives the alarm that the new one replaces.
    pub fn announce(&self, alarm: Option<i64>) -> Result<Option<i64>> {
        let old = std::mem::replace(&mut *lock(&self.announced)?, alarm);
        if let Some(at) = alarm {
            self.make(at)?;
        }
        Ok(old.filter(|_| old != alarm))
    }

    /// Removes the marker of an alarm that is not stored any more.
    pub fn remove(&self, at: i64) {
        let _ = fs::remove_file(self.path(at));
    }

    fn make(&self, at: i64) -> Result<()> {
        let (path, directories) = (self.path(at), &self.shared.directories);
        if let Some(alarms) = path.parent() {
            directories.create(alarms)?;
        }
        create_marker(&path)?;
        directories.mark_unsynced(&path)
    }

    fn path(&self, at: i64) -> PathBuf {
        self.shared.layout.alarm(&self.key, at)
    }
}
