//! Redis: one server or cluster that many processes use at once.
//!
//! - [`address`], [`link`], [`failure`]: where the server is, the connection to it, and what its failures mean
//! - [`names`]: how keys are named
//! - [`script`], [`reply`]: the scripts that run inside of the server, and its answers
//! - [`commit`]: the call that commits, once
//! - [`batch`]: plain writes on their way
//! - [`op`]: everything else that is asked about an object
//! - [`state`], [`object`], [`reads`], [`writes`]: what a client knows of an object, and the contract over it
//! - [`driver`]: sends what waits for an object
//! - [`shared`], [`keeper`]: what the objects of a place share, and the care for it
//!
//! The server decides: every commit is one script that validates and writes. So nothing here is a cache, and
//! many processes, on many machines, see one order of commits.

mod address;
mod batch;
mod commit;
mod driver;
mod failure;
mod keeper;
mod link;
mod names;
mod object;
mod op;
mod reads;
mod reply;
mod script;
mod shared;
mod state;
mod writes;

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use once_cell::sync::Lazy;
use redis::Value as Answer;
use tokio::runtime::Handle;

use self::address::Address;
use self::keeper::Seen;
use self::link::Link;
use self::names::{NAMES, ObjectNames};
use self::object::RedisObject;
use self::reply::{text, words};
use self::shared::Shared;
use super::{Object, ObjectKey, Place};
use crate::answer::Answer as Later;
use crate::clock::Randomness;
use crate::error::{Error, Result};
use crate::lock::lock;

/// How often to look whether everything has been sent.
const CLOSING_STEP: Duration = Duration::from_millis(1);
/// Random bytes in a client's name.
const CLIENT_BYTES: usize = 12;

/// The library behind `rediss://` asks for one source of cryptography in a process.
static CRYPTOGRAPHY: Lazy<()> = Lazy::new(|| {
    // Somebody else may have chosen one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
});

/// One user of a server or cluster.
pub struct RedisPlace {
    shared: Arc<Shared>,
    objects: Mutex<HashMap<ObjectKey, Arc<RedisObject>>>,
    /// Bindings whose alarms somebody has asked for.
    watched: Mutex<BTreeSet<Arc<str>>>,
    /// When the notes of alarms were first seen.
    seen: Mutex<Seen>,
    closed: AtomicBool,
}

/// How a server is used.
pub struct RedisUse {
    /// Where background work runs.
    pub runtime: Handle,
    /// Whether what is asked is sent when [`Place::flush`] is called, not at once.
    pub corked: bool,
    /// A PEM file with certificates to trust beside the system's.
    pub more_ca: Option<PathBuf>,
}

impl RedisPlace {
    /// Uses the server at `url`. It is connected to when something is first asked.
    pub fn open(url: &str, usage: RedisUse, random: &mut impl Randomness) -> Result<Arc<Self>> {
        Lazy::force(&CRYPTOGRAPHY);
        let link = Link::new(Address::parse(url, usage.more_ca.as_deref())?);
        let mut bytes = [0; CLIENT_BYTES];
        random.fill(&mut bytes);
        let mut client = String::with_capacity(2 * CLIENT_BYTES);
        for byte in bytes {
            let _ = write!(client, "{byte:02x}");
        }
        let place = Arc::new(Self {
            shared: Arc::new(Shared::new(link, client, usage.runtime, usage.corked)),
            objects: Mutex::default(),
            watched: Mutex::default(),
            seen: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        keeper::start(&place);
        Ok(place)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn known(&self) -> Vec<Arc<RedisObject>> {
        lock(&self.objects).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Objects with something on its way.
    fn busy(&self) -> Vec<ObjectKey> {
        let known = self.known().into_iter();
        known.filter(|object| !object.is_idle()).map(|object| object.key.clone()).collect()
    }

    fn watch(&self, names: &[Arc<str>]) -> Result<()> {
        lock(&self.watched)?.extend(names.iter().cloned());
        Ok(())
    }
}

/// A place, and the wish to have it: the last one who has it closes it.
pub struct RedisUser(pub Arc<RedisPlace>);

impl Place for RedisUser {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn Object>> {
        let place = &self.0;
        if place.is_closed() {
            return Err(Error::Closed);
        }
        let mut objects = lock(&place.objects)?;
        let object = objects
            .entry(key.clone())
            .or_insert_with(|| RedisObject::new(place.shared.clone(), key.clone()));
        Ok(object.clone())
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        if self.0.is_closed() {
            return Err(Error::Closed);
        }
        self.0.watch(names)?;
        self.0.shared.alarms.pending(names)
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        if self.0.is_closed() {
            return Err(Error::Closed);
        }
        self.0.watch(names)?;
        self.0.shared.alarms.first(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        if self.0.is_closed() {
            return Err(Error::Closed);
        }
        self.0.watch(names)?;
        self.0.shared.alarms.due(names, now_ms)
    }

    fn refresh_alarms(&self, names: &[Arc<str>]) -> Later<()> {
        if let Err(error) = self.0.watch(names) {
            return Later::Now(Err(error));
        }
        let place = self.0.clone();
        Later::later(async move { keeper::read_alarms(&place).await })
    }

    fn object_ids(&self, name: &str) -> Later<Vec<Arc<str>>> {
        let (shared, name) = (self.0.shared.clone(), Arc::<str>::from(name));
        Later::later(async move {
            let mut ids = Vec::new();
            for (id, noted) in shared.noted_objects(&name).await? {
                let key = ObjectKey { name: name.clone(), id: Arc::from(&*id) };
                if exists(&shared, &key).await? {
                    ids.push(key.id);
                } else {
                    shared.forget_object(&name, &id, &noted).await?;
                }
            }
            ids.sort_unstable();
            Ok(ids)
        })
    }

    fn object_names(&self) -> Later<Vec<Arc<str>>> {
        let shared = self.0.shared.clone();
        Later::later(async move {
            let found = words(shared.ask(redis::cmd("SMEMBERS").arg(NAMES)).await?)?;
            let names = found.into_iter().map(|name| text(Some(name)).map(Arc::from));
            let mut names = names.collect::<Result<Vec<Arc<str>>>>()?;
            names.sort_unstable();
            Ok(names)
        })
    }

    fn flush(&self) {
        self.0.shared.uncork();
    }

    fn close(&self) -> Later<()> {
        let place = self.0.clone();
        if place.closed.swap(true, Ordering::AcqRel) {
            return Later::Now(Ok(()));
        }
        // In the very call: writes of one turn of the event loop must not be torn by its end.
        let objects = place.known();
        for object in &objects {
            object.retire();
        }
        Later::later(async move {
            for object in &objects {
                while !object.is_idle() {
                    tokio::time::sleep(CLOSING_STEP).await;
                }
            }
            place.shared.link.close().await;
            Ok(())
        })
    }
}

impl Drop for RedisUser {
    fn drop(&mut self) {
        if !self.0.closed.swap(true, Ordering::AcqRel) {
            for object in self.0.known() {
                object.retire();
            }
        }
    }
}

/// Whether an object holds data or an alarm.
async fn exists(shared: &Shared, key: &ObjectKey) -> Result<bool> {
    let names = ObjectNames::new(key);
    let found = shared.ask(redis::cmd("EXISTS").arg(names.values())).await?;
    if found == Answer::Int(1) {
        return Ok(true);
    }
    let alarm = shared.ask(redis::cmd("HEXISTS").arg(names.meta()).arg("alarm")).await?;
    Ok(alarm == Answer::Int(1))
}
