//! An overlay above another store: reads fall through to that store, writes stay in the overlay and can be undone.
//!
//! - [`table`]: one object: its changes above the object below, or its SQLite database
//! - [`changes`], [`database`]: either, and how to undo what a savepoint has brought
//! - [`below`]: reading the object below
//! - [`savepoints`]: which objects were written in which savepoint
//!
//! Savepoints nest. [`OverlayStore::push`] begins one in O(1). [`OverlayStore::pop`] undoes what was written since, in
//! O(changes). Nothing is ever written to the store below; that includes alarms.
//!
//! Transactions are serializable and opaque among all users of the overlay. The overlay assumes that the store below does
//! not change. What other users write to it shows through, but is not validated.

pub mod below;
pub mod changes;
pub mod database;
pub mod savepoints;
pub mod table;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use self::below::{Below, Spawn};
use self::savepoints::Savepoints;
use self::table::OverlayTable;
use super::local::LocalObject;
use super::name_records::NameRecords;
use super::{ObjectKey, ObjectStorage, Store};
use crate::alarm_index::AlarmIndex;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::key::Value;
use crate::lock::lock;

type Overlaid = Arc<LocalObject<OverlayTable>>;

/// A store above another one.
pub struct OverlayStore {
    below: Arc<dyn Store>,
    spawn: Spawn,
    /// `None` once closed.
    objects: Mutex<Option<HashMap<ObjectKey, Overlaid>>>,
    /// Alarms that were set in the overlay. The store below knows its own.
    alarms: Arc<AlarmIndex>,
    savepoints: Arc<Savepoints>,
    names: NameRecords,
}

impl OverlayStore {
    /// An empty overlay above `below`. `spawn` runs what the store below answers later.
    pub fn new(below: Arc<dyn Store>, spawn: Spawn) -> Self {
        Self {
            below,
            spawn,
            objects: Mutex::new(Some(HashMap::new())),
            alarms: Arc::default(),
            savepoints: Arc::default(),
            names: NameRecords::default(),
        }
    }

    /// Closes this overlay without the store below, and moves its content into a new overlay.
    pub fn renew(&self) -> Result<Self> {
        let objects = lock(&self.objects)?.take().ok_or(Error::Closed)?;
        let renewed = objects.into_iter().filter_map(|(key, object)| {
            let table = object.close()?;
            Some((key.clone(), LocalObject::new(table, key, self.alarms.clone())))
        });
        Ok(Self {
            below: self.below.clone(),
            spawn: self.spawn.clone(),
            objects: Mutex::new(Some(renewed.collect())),
            alarms: self.alarms.clone(),
            savepoints: self.savepoints.clone(),
            names: self.names.clone(),
        })
    }

    /// Begins a savepoint. The [`Self::pop`] that ends it undoes everything that was written in it.
    pub fn push(&self) -> Result<()> {
        self.savepoints.push()
    }

    /// Ends the newest savepoint: every object is as it was when the savepoint began, and running attempts lose.
    /// Without a savepoint this undoes everything that was ever written to the overlay.
    pub fn pop(&self) -> Result<()> {
        let (written, depth) = self.savepoints.pop()?;
        let objects = lock(&self.objects)?;
        let objects = objects.as_ref().ok_or(Error::Closed)?;
        match written {
            Some(written) => {
                for object in written.iter().filter_map(|key| objects.get(key)) {
                    object.change(|table| table.revert(depth))?;
                }
            }
            None => {
                for object in objects.values() {
                    object.change(OverlayTable::forget)?;
                }
            }
        }
        Ok(())
    }
}

impl OverlayStore {
    /// The objects of a name that are used in the overlay, and whether each holds anything.
    fn ids_above(&self, name: &str) -> Result<Vec<(Arc<str>, bool)>> {
        let objects = lock(&self.objects)?;
        let objects = objects.as_ref().ok_or(Error::Closed)?;
        let named = objects.iter().filter(|(key, _)| &*key.name == name);
        named.map(|(key, object)| Ok((key.id.clone(), !object.is_empty()?))).collect()
    }
}

impl Store for OverlayStore {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        let mut objects = lock(&self.objects)?;
        let objects = objects.as_mut().ok_or(Error::Closed)?;
        if let Some(object) = objects.get(key) {
            return Ok(object.clone());
        }
        let below = Below::new(self.below.clone(), self.below.object(key)?, self.spawn.clone());
        let table = OverlayTable::new(Arc::new(below), key.clone(), self.savepoints.clone());
        let object = LocalObject::new(table, key.clone(), self.alarms.clone());
        objects.insert(key.clone(), object.clone());
        Ok(object)
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        let objects = lock(&self.objects)?;
        let objects = objects.as_ref().ok_or(Error::Closed)?;
        let mut alarms = self.alarms.pending(names)?;
        for (at, key) in self.below.alarms(names)? {
            let object =
                objects.get(&key).map(|object| object.inspect(OverlayTable::decides_alarm));
            if object.transpose()?.flatten() != Some(true) && !self.alarms.withholds(&key)? {
                alarms.push((at, key));
            }
        }
        alarms.sort_unstable();
        Ok(alarms)
    }

    fn refresh_alarms(&self, names: &[Arc<str>]) -> Answer<()> {
        self.below.refresh_alarms(names)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        let above = match self.ids_above(name) {
            Ok(above) => above,
            Err(error) => return Answer::Now(Err(error)),
        };
        self.below.object_ids(name).and_then(|below| {
            let mut ids: BTreeSet<Arc<str>> = below.into_iter().collect();
            for (id, exists) in above {
                if exists {
                    ids.insert(id);
                } else {
                    ids.remove(&id);
                }
            }
            Ok(ids.into_iter().collect())
        })
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        let above: Result<BTreeSet<Arc<str>>> = lock(&self.objects).and_then(|objects| {
            let objects = objects.as_ref().ok_or(Error::Closed)?;
            Ok(objects.keys().map(|key| key.name.clone()).collect())
        });
        self.below.object_names().and_then(|below| {
            let mut names = above?;
            names.extend(below);
            Ok(names.into_iter().collect())
        })
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        Answer::Now(self.names.write(key, name))
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        match self.names.read(key) {
            Ok(None) => self.below.recorded_name(key),
            above => Answer::Now(above),
        }
    }

    fn flush(&self) {
        self.below.flush();
    }

    fn close(&self) -> Answer<()> {
        match lock(&self.objects).map(|mut objects| objects.take()) {
            Err(error) => return Answer::Now(Err(error)),
            Ok(objects) => {
                for object in objects.unwrap_or_default().values() {
                    object.close();
                }
            }
        }
        self.below.close()
    }
}
