//! Stores: where the data of many objects lives.

use std::sync::Arc;

use ferroflare_core::Error;
use ferroflare_core::answer::Pending;
use ferroflare_core::backend::files::{FileOptions, FileStore};
use ferroflare_core::backend::memory::MemoryStore;
use ferroflare_core::backend::overlay::OverlayStore;
use ferroflare_core::backend::redis::{RedisOptions, RedisStore};
use ferroflare_core::backend::{self, ObjectKey};
use napi::Env;
use napi::bindgen_prelude::Reference;
use napi_derive::napi;

use crate::arguments::{Scratch, alarm_number, whole};
use crate::checks::Limits;
use crate::codes::ABSENT;
use crate::completions::{Completions, Reply};
use crate::error::thrown;
use crate::object::ObjectHandle;
use crate::packing::pack_texts;
use crate::runtime;

/// An alarm that has not fired.
#[napi(object, object_from_js = false)]
pub struct PendingAlarm {
    /// Name of the object's binding.
    pub name: String,
    /// The object's id.
    pub id: String,
    /// When it is due, in milliseconds.
    pub time_ms: f64,
}

/// What kind of store it is, for what only some kinds can do.
enum Kind {
    Memory(Arc<MemoryStore>),
    Overlay(Arc<OverlayStore>),
    /// A directory, or Redis.
    Lasting,
}

/// The data of one memory, directory or server, or of an overlay above one.
#[napi]
pub struct Store {
    data: Arc<dyn backend::Store>,
    /// The same store, by its kind.
    kind: Kind,
    completions: Reference<Completions>,
}

#[napi]
impl Store {
    /// A new store in memory, which no other code sees.
    #[napi(factory, catch_unwind)]
    pub fn memory(completions: Reference<Completions>) -> Self {
        Self::over_memory(MemoryStore::new(), completions)
    }

    /// The store in the directory `root`, which all its users share. With `fsync` a write is durable when the disk has it,
    /// else when the operating system has it.
    #[napi(factory, catch_unwind)]
    pub fn files(
        env: Env,
        completions: Reference<Completions>,
        root: String,
        fsync: bool,
        open_objects_max: f64,
    ) -> napi::Result<Self> {
        let options = FileOptions { fsync, open_objects_max: whole(open_objects_max) };
        let user = runtime::required().and_then(|runtime| {
            with_randomness(|mut random| {
                FileStore::open(root.as_ref(), options, runtime, &mut random)
            })
        });
        let store = Arc::new(user.map_err(|error| thrown(env, &error))?);
        Ok(Self { data: store, kind: Kind::Lasting, completions })
    }

    /// An overlay above this store. It shows what this store holds. What is written to it stays in it. Closing it
    /// closes this store too.
    #[napi(catch_unwind)]
    pub fn overlay(&self, env: Env) -> napi::Result<Self> {
        let spawn = Arc::new(|work: Pending<()>| runtime::spawn(async { drop(work.await) }));
        let overlay = OverlayStore::new(self.data.clone(), spawn);
        Ok(Self::over_overlay(overlay, self.completions.clone(env)?))
    }

    /// Closes a store in memory, or an overlay without the store below, and moves its content into a new store.
    #[napi(catch_unwind)]
    pub fn renew(&self, env: Env) -> napi::Result<Self> {
        let completions = self.completions.clone(env)?;
        let renewed = match &self.kind {
            Kind::Memory(memory) => {
                memory.renew().map(|memory| Self::over_memory(memory, completions))
            }
            Kind::Overlay(overlay) => {
                overlay.renew().map(|overlay| Self::over_overlay(overlay, completions))
            }
            Kind::Lasting => Err(Error::Internal("renew() of a store that keeps its data".into())),
        };
        renewed.map_err(|error| thrown(env, &error))
    }

    /// Begins a savepoint of an overlay. The `pop()` that ends it undoes what was written in it.
    #[napi(catch_unwind)]
    pub fn push(&self, env: Env) -> napi::Result<()> {
        self.savepoint(env, OverlayStore::push)
    }

    /// Ends the newest savepoint of an overlay. Without one it undoes everything that was ever written to the overlay.
    #[napi(catch_unwind)]
    pub fn pop(&self, env: Env) -> napi::Result<()> {
        self.savepoint(env, OverlayStore::pop)
    }

    /// The store in the Redis server or cluster at `url`, which all its users share.
    #[napi(factory, catch_unwind)]
    pub fn redis(env: Env, completions: Reference<Completions>, url: String) -> napi::Result<Self> {
        let store = runtime::required().and_then(|runtime| {
            let more_ca = std::env::var_os("NODE_EXTRA_CA_CERTS").map(Into::into);
            #[expect(clippy::disallowed_methods, reason = "the binding gives the core its clock")]
            let clock = tokio::time::Instant::now;
            let options = RedisOptions { runtime, corked: true, more_ca, clock };
            with_randomness(|mut random| RedisStore::open(&url, options, &mut random))
        });
        let store = Arc::new(store.map_err(|error| thrown(env, &error))?);
        completions.flush_also(store.clone());
        Ok(Self { data: store, kind: Kind::Lasting, completions })
    }

    /// The object of that binding name and id. `valueBytesMax` is the value limit of this handle; infinity leaves
    /// keys and values to SQLite.
    #[napi(catch_unwind)]
    pub fn object(
        &self,
        env: Env,
        name: String,
        id: String,
        value_bytes_max: f64,
    ) -> napi::Result<ObjectHandle> {
        let key = ObjectKey { name: name.into(), id: id.into() };
        let limits = Limits::new(value_bytes_max).map_err(|error| thrown(env, &error))?;
        let object = self.data.object(&key).map_err(|error| thrown(env, &error))?;
        Ok(ObjectHandle::new(object, self.completions.clone(env)?, limits))
    }

    /// The earliest pending alarm of objects with one of these names, in milliseconds; NaN for none.
    #[napi(catch_unwind)]
    pub fn next_alarm(&self, env: Env, names: Vec<String>) -> napi::Result<f64> {
        let next = self.data.next_alarm(&texts(names)).map_err(|error| thrown(env, &error))?;
        Ok(alarm_number(next))
    }

    /// The objects whose alarm is due at `nowMs`, as `NAME:id`, by time. At the latest time of a `Date` that is every pending
    /// alarm.
    #[napi(catch_unwind)]
    pub fn due_alarms(
        &self,
        env: Env,
        names: Vec<String>,
        now_ms: f64,
    ) -> napi::Result<Vec<String>> {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let due = self.data.due_alarms(&texts(names), now_ms as i64);
        let due = due.map_err(|error| thrown(env, &error))?;
        Ok(due.iter().map(|(_, key)| key.to_string()).collect())
    }

    /// The pending alarms of objects with one of these names, by time.
    #[napi(catch_unwind)]
    pub fn alarms_of(&self, env: Env, names: Vec<String>) -> napi::Result<Vec<PendingAlarm>> {
        let alarms = self.data.alarms(&texts(names)).map_err(|error| thrown(env, &error))?;
        let pending = |(at, key): &(i64, ObjectKey)| PendingAlarm {
            name: key.name.to_string(),
            id: key.id.to_string(),
            time_ms: alarm_number(Some(*at)),
        };
        Ok(alarms.iter().map(pending).collect())
    }

    /// Makes sure that this store knows the alarms of these names that other processes have set; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn refresh_alarms(&self, env: Env, names: Vec<String>) -> napi::Result<f64> {
        let answer = self.data.refresh_alarms(&texts(names));
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// Names of bindings that may have objects, in order, packed into `scratch`; returns their length.
    #[napi(catch_unwind)]
    pub fn object_names(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        let answer = self.data.object_names();
        self.completions.reply(env, scratch.0, answer, |names| Reply::Packed(pack_texts(&names)))
    }

    /// Ids of the objects of that name that hold anything, in order, packed into `scratch`; returns their length.
    #[napi(catch_unwind)]
    pub fn object_ids(
        &self,
        env: Env,
        name: String,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        let answer = self.data.object_ids(&name);
        self.completions.reply(env, scratch.0, answer, |ids| Reply::Packed(pack_texts(&ids)))
    }

    /// Records the name that an object's id was made of, or removes the record (null); returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn record_name(
        &self,
        env: Env,
        name: String,
        id: String,
        called: Option<String>,
    ) -> napi::Result<f64> {
        let key = ObjectKey { name: name.into(), id: id.into() };
        let answer = self.data.record_name(&key, called.as_deref());
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// The name that was recorded, as UTF-8 in `scratch`; returns its length, or -1 without a record.
    #[napi(catch_unwind)]
    pub fn recorded_name(
        &self,
        env: Env,
        name: String,
        id: String,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        let key = ObjectKey { name: name.into(), id: id.into() };
        let answer = self.data.recorded_name(&key);
        self.completions.reply(env, scratch.0, answer, |called| {
            called.map_or(Reply::Number(ABSENT), Reply::Bytes)
        })
    }

    /// Ends the use of the store; returns 0, or a ticket if that takes time.
    #[napi(catch_unwind)]
    pub fn close(&self, env: Env) -> napi::Result<f64> {
        self.completions.reply(env, &mut [], self.data.close(), |()| Reply::Number(0.0))
    }
}

impl Store {
    fn over_memory(memory: MemoryStore, completions: Reference<Completions>) -> Self {
        let memory = Arc::new(memory);
        Self { data: memory.clone(), kind: Kind::Memory(memory), completions }
    }

    fn over_overlay(overlay: OverlayStore, completions: Reference<Completions>) -> Self {
        let overlay = Arc::new(overlay);
        Self { data: overlay.clone(), kind: Kind::Overlay(overlay), completions }
    }

    fn savepoint(
        &self,
        env: Env,
        change: impl FnOnce(&OverlayStore) -> Result<(), Error>,
    ) -> napi::Result<()> {
        let changed = match &self.kind {
            Kind::Overlay(overlay) => change(overlay),
            _ => Err(Error::Internal("push() or pop() of a store that is no overlay".into())),
        };
        changed.map_err(|error| thrown(env, &error))
    }
}

/// Does `work` with random bytes of the system. If the system gives none, the result of `work` is dropped.
fn with_randomness<R>(
    work: impl FnOnce(&mut dyn FnMut(&mut [u8])) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut failure = None;
    let made = work(&mut |bytes| failure = failure.or(getrandom::fill(bytes).err()));
    match failure {
        None => made,
        Some(error) => Err(Error::Internal(format!("the system gives no random bytes: {error}"))),
    }
}

fn texts(names: Vec<String>) -> Vec<Arc<str>> {
    names.into_iter().map(Arc::from).collect()
}
