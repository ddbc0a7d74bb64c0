//! One user of a server or cluster.

use std::sync::Arc;

use super::alarms::KnownAlarms;
use super::maintenance;
use super::name_records;
use super::place::{RedisOptions, SharedServer};
use crate::answer::Answer;
use crate::backend::{ObjectKey, ObjectStorage, Store};
use crate::error::{Error, Result};
use crate::key::Value;
use crate::randomness::Randomness;

/// One user of a server or cluster. When it is dropped, what was called before is still sent.
pub struct RedisStore {
    place: Arc<SharedServer>,
}

impl RedisStore {
    /// Uses the server at `url`. The first request connects to it.
    pub fn open(url: &str, options: RedisOptions, random: &mut impl Randomness) -> Result<Self> {
        let place = SharedServer::open(url, options, random)?;
        place.shared.runtime.spawn(maintenance::run(Arc::downgrade(&place)));
        Ok(Self { place })
    }

    /// The alarms that this process knows, for bindings whose alarms it follows from now on.
    fn watched(&self, names: &[Arc<str>]) -> Result<&KnownAlarms> {
        if self.place.is_closed() {
            return Err(Error::Closed);
        }
        self.place.watch(names)?;
        Ok(&self.place.shared.alarms)
    }
}

impl Store for RedisStore {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        Ok(self.place.object(key)?)
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        self.watched(names)?.pending(names)
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        self.watched(names)?.first(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        self.watched(names)?.due(names, now_ms)
    }

    fn refresh_alarms(&self, names: &[Arc<str>]) -> Answer<()> {
        if let Err(error) = self.place.watch(names) {
            return Answer::Now(Err(error));
        }
        let place = self.place.clone();
        Answer::later(async move { maintenance::read_alarms(&place).await })
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        let (shared, name) = (self.place.shared.clone(), name.to_owned());
        Answer::later(async move { shared.registry.object_ids(&name).await })
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        let shared = self.place.shared.clone();
        Answer::later(async move { shared.registry.names().await })
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        let (shared, key) = (self.place.shared.clone(), key.clone());
        let name = name.map(str::to_owned);
        Answer::later(async move { name_records::write(&shared, &key, name.as_deref()).await })
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        let (shared, key) = (self.place.shared.clone(), key.clone());
        Answer::later(async move { name_records::read(&shared, &key).await })
    }

    fn flush(&self) {
        self.place.shared.cork.release();
    }

    fn close(&self) -> Answer<()> {
        // In this very call: the writes of one turn of the event loop must not be torn.
        let Some(objects) = self.place.retire() else {
            return Answer::Now(Ok(()));
        };
        let shared = self.place.shared.clone();
        Answer::later(async move {
            for object in &objects {
                object.driver.wait_until_idle().await;
            }
            shared.connection.close().await;
            Ok(())
        })
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.place.retire();
    }
}
