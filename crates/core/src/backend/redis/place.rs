//! One server or cluster as this process uses it: the objects in use, and whose alarms matter.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use once_cell::sync::Lazy;
use tokio::runtime::Handle;

use super::object::RedisObject;
use super::server::address::Address;
use super::server::connection::Connection;
use super::shared::Shared;
use crate::backend::ObjectKey;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::id::hex;
use crate::lock::lock;
use crate::randomness::Randomness;

/// Random bytes in a client's name.
const CLIENT_BYTES: usize = 12;

/// The library behind `rediss://` asks for one source of cryptography in a process.
static CRYPTOGRAPHY: Lazy<()> = Lazy::new(|| {
    // Other code of the process may have chosen one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
});

/// How a server is used.
pub struct RedisOptions {
    /// Where background work runs.
    pub runtime: Handle,
    /// Whether what is asked waits for [`crate::backend::Store::flush`]; if not, it is sent at once.
    pub corked: bool,
    /// A PEM file with certificates to trust in addition to the system's.
    pub more_ca: Option<PathBuf>,
    /// Reads the time.
    pub clock: Clock,
}

/// A server or cluster in use.
pub(crate) struct SharedServer {
    pub(crate) shared: Arc<Shared>,
    objects: Mutex<HashMap<ObjectKey, Arc<RedisObject>>>,
    /// Bindings whose alarms a caller has asked for.
    watched: Mutex<BTreeSet<Arc<str>>>,
    closed: AtomicBool,
}

impl SharedServer {
    /// Uses the server at `url`. The first request connects to it.
    pub(crate) fn open(
        url: &str,
        options: RedisOptions,
        random: &mut impl Randomness,
    ) -> Result<Arc<Self>> {
        Lazy::force(&CRYPTOGRAPHY);
        let address = Address::parse(url, options.more_ca.as_deref())?;
        let mut client = [0; CLIENT_BYTES];
        random.fill(&mut client);
        let RedisOptions { runtime, corked, clock, .. } = options;
        let connection = Connection::new(address, clock);
        let shared = Shared::new(connection, hex(&client), runtime, corked, clock);
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
            objects: Mutex::default(),
            watched: Mutex::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Whether [`Self::retire`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The object of that name and id.
    pub(crate) fn object(&self, key: &ObjectKey) -> Result<Arc<RedisObject>> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let mut objects = lock(&self.objects)?;
        let object = objects
            .entry(key.clone())
            .or_insert_with(|| Arc::new(RedisObject::new(self.shared.clone(), key.clone())));
        Ok(object.clone())
    }

    /// The objects in use.
    pub(crate) fn objects(&self) -> Vec<Arc<RedisObject>> {
        lock(&self.objects).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// The alarms of these bindings matter from now on.
    pub(crate) fn watch(&self, names: &[Arc<str>]) -> Result<()> {
        lock(&self.watched)?.extend(names.iter().cloned());
        Ok(())
    }

    /// The bindings whose alarms matter.
    pub(crate) fn watched(&self) -> Result<BTreeSet<Arc<str>>> {
        let mut names = lock(&self.watched)?.clone();
        names.extend(self.objects().iter().map(|object| object.driver.key.name.clone()));
        Ok(names)
    }

    /// Objects with requests or writes under way.
    pub(crate) fn busy(&self) -> Vec<ObjectKey> {
        let objects = self.objects().into_iter();
        let busy = objects.filter(|object| !object.driver.is_idle());
        busy.map(|object| object.driver.key.clone()).collect()
    }

    /// Makes every later operation fail. Gives the objects in use, or `None` if this was called before.
    pub(crate) fn retire(&self) -> Option<Vec<Arc<RedisObject>>> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return None;
        }
        let objects = self.objects();
        for object in &objects {
            object.driver.retire();
        }
        Some(objects)
    }
}
