//! Memory: ordered maps that live as long as their store. Every write is durable at once, as far as memory can be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::local::LocalObject;
use super::memory_table::MemoryTable;
use super::name_records::NameRecords;
use super::{ObjectKey, ObjectStorage, Store};
use crate::alarm_index::AlarmIndex;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::key::Value;
use crate::lock::lock;

/// A store in memory. It lives as long as its holder, and no other holder sees it.
#[derive(Default)]
pub struct MemoryStore {
    /// `None` once closed.
    objects: Mutex<Option<Objects>>,
    alarms: Arc<AlarmIndex>,
    names: NameRecords,
}

type Objects = HashMap<ObjectKey, Arc<LocalObject<MemoryTable>>>;

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            objects: Mutex::new(Some(HashMap::new())),
            alarms: Arc::default(),
            names: NameRecords::default(),
        }
    }

    /// Closes this store, and moves its content into a new one.
    pub fn renew(&self) -> Result<Self> {
        let objects = lock(&self.objects)?.take().ok_or(Error::Closed)?;
        let renewed = objects.into_iter().filter_map(|(key, object)| {
            let table = object.close()?;
            Some((key.clone(), LocalObject::new(table, key, self.alarms.clone())))
        });
        Ok(Self {
            objects: Mutex::new(Some(renewed.collect())),
            alarms: self.alarms.clone(),
            names: self.names.clone(),
        })
    }

    fn ids(&self, name: &str) -> Result<Vec<Arc<str>>> {
        let mut ids = Vec::new();
        let objects = lock(&self.objects)?;
        for (key, object) in objects.as_ref().ok_or(Error::Closed)? {
            if &*key.name == name && !object.is_empty()? {
                ids.push(key.id.clone());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn names(&self) -> Result<Vec<Arc<str>>> {
        let objects = lock(&self.objects)?;
        let keys = objects.as_ref().ok_or(Error::Closed)?.keys();
        let mut names: Vec<Arc<str>> = keys.map(|key| key.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

impl Store for MemoryStore {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        let mut objects = lock(&self.objects)?;
        let objects = objects.as_mut().ok_or(Error::Closed)?;
        if let Some(object) = objects.get(key) {
            return Ok(object.clone());
        }
        let object = LocalObject::new(MemoryTable::default(), key.clone(), self.alarms.clone());
        objects.insert(key.clone(), object.clone());
        Ok(object)
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        lock(&self.objects)?.as_ref().ok_or(Error::Closed)?;
        self.alarms.pending(names)
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        lock(&self.objects)?.as_ref().ok_or(Error::Closed)?;
        self.alarms.first(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        lock(&self.objects)?.as_ref().ok_or(Error::Closed)?;
        self.alarms.due(names, now_ms)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        Answer::Now(self.ids(name))
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        Answer::Now(self.names())
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        Answer::Now(self.names.write(key, name))
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        Answer::Now(self.names.read(key))
    }

    fn close(&self) -> Answer<()> {
        Answer::Now(lock(&self.objects).map(|mut objects| {
            if let Some(objects) = objects.take() {
                for object in objects.values() {
                    object.close();
                }
            }
        }))
    }
}
