//! Places: where the data of many objects lives.

use std::sync::Arc;

use ferroflare_core::Error;
use ferroflare_core::answer::Pending;
use ferroflare_core::backend::files::{FileOptions, FileUser, OPEN_OBJECTS_DEFAULT};
use ferroflare_core::backend::memory::MemoryPlace;
use ferroflare_core::backend::overlay::OverlayPlace;
use ferroflare_core::backend::redis::{RedisPlace, RedisUse, RedisUser};
use ferroflare_core::backend::{ObjectKey, Place};
use ferroflare_core::limits::{self, ValueLimit};
use napi::Env;
use napi::bindgen_prelude::Reference;
use napi_derive::napi;

use crate::arguments::{Scratch, alarm_number, whole};
use crate::completions::{Completions, Reply};
use crate::error::thrown;
use crate::object::ObjectHandle;
use crate::packing::pack_texts;
use crate::runtime;

/// The limits that the face needs to know: bytes and counts.
#[napi(object, object_from_js = false)]
pub struct Limits {
    /// Most keys or pairs in one operation.
    pub keys_max: u32,
    /// Value limit unless configured.
    pub value_bytes_default: u32,
    /// Largest value limit that can be configured.
    pub value_bytes_ceiling: u32,
    /// Most open objects of a directory unless configured.
    pub open_objects_default: u32,
}

/// The limits of the storage API.
#[napi(catch_unwind)]
pub fn limits() -> Limits {
    Limits {
        keys_max: small(limits::KEYS_MAX),
        value_bytes_default: small(limits::VALUE_BYTES_DEFAULT),
        value_bytes_ceiling: small(limits::VALUE_BYTES_CEILING),
        open_objects_default: small(OPEN_OBJECTS_DEFAULT),
    }
}

fn small(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// Version of the native core.
#[napi(catch_unwind)]
pub fn core_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

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

/// The data of one place.
#[napi]
pub struct Store {
    place: Arc<dyn Place>,
    /// The place once more, if it is an overlay.
    overlay: Option<Arc<OverlayPlace>>,
    completions: Reference<Completions>,
}

#[napi]
impl Store {
    /// A new place in memory, seen by nobody else.
    #[napi(factory, catch_unwind)]
    pub fn memory(completions: Reference<Completions>) -> Self {
        Self { place: Arc::new(MemoryPlace::new()), overlay: None, completions }
    }

    /// The place in the directory `root`, shared by everybody who uses it. With `fsync` a write is
    /// durable when the disk has it, else when the operating system has it.
    #[napi(factory, catch_unwind)]
    pub fn files(
        env: Env,
        completions: Reference<Completions>,
        root: String,
        fsync: bool,
        open_objects_max: f64,
    ) -> napi::Result<Self> {
        let options = FileOptions { fsync, open_objects_max: whole(open_objects_max) };
        let runtime =
            runtime::handle().ok_or_else(|| Error::Internal("the system gives no threads".into()));
        let user = runtime.and_then(|runtime| {
            with_randomness(|mut random| {
                FileUser::open(root.as_ref(), options, runtime, &mut random)
            })
        });
        let place = Arc::new(user.map_err(|error| thrown(env, &error))?);
        Ok(Self { place, overlay: None, completions })
    }

    /// A place above this one: it shows what is here, and keeps everything written to it for itself.
    /// Closing it closes this one too.
    #[napi(catch_unwind)]
    pub fn overlay(&self, env: Env) -> napi::Result<Self> {
        let spawn = Arc::new(|work: Pending<()>| runtime::spawn(async { drop(work.await) }));
        let overlay = Arc::new(OverlayPlace::new(self.place.clone(), spawn));
        let completions = self.completions.clone(env)?;
        Ok(Self { place: overlay.clone(), overlay: Some(overlay), completions })
    }

    /// Begins a level of an overlay: what is written from now on is taken back by the `pop()` that ends it.
    #[napi(catch_unwind)]
    pub fn push(&self, env: Env) -> napi::Result<()> {
        self.level(env, OverlayPlace::push)
    }

    /// Ends the newest level of an overlay; without one, everything that was ever written to it is taken back.
    #[napi(catch_unwind)]
    pub fn pop(&self, env: Env) -> napi::Result<()> {
        self.level(env, OverlayPlace::pop)
    }

    /// The place in the Redis server or cluster at `url`, shared by everybody who uses it.
    #[napi(factory, catch_unwind)]
    pub fn redis(env: Env, completions: Reference<Completions>, url: String) -> napi::Result<Self> {
        let runtime =
            runtime::handle().ok_or_else(|| Error::Internal("the system gives no threads".into()));
        let place = runtime.and_then(|runtime| {
            let more_ca = std::env::var_os("NODE_EXTRA_CA_CERTS").map(Into::into);
            let usage = RedisUse { runtime, corked: true, more_ca };
            with_randomness(|mut random| RedisPlace::open(&url, usage, &mut random))
        });
        let place = Arc::new(RedisUser(place.map_err(|error| thrown(env, &error))?));
        completions.flush_also(place.clone());
        Ok(Self { place, overlay: None, completions })
    }

    /// The object of that binding name and id. `valueBytesMax` is the value limit of this handle.
    #[napi(catch_unwind)]
    pub fn object(
        &self,
        env: Env,
        name: String,
        id: String,
        value_bytes_max: f64,
    ) -> napi::Result<ObjectHandle> {
        let key = ObjectKey { name: name.into(), id: id.into() };
        let limit = ValueLimit::new(whole(value_bytes_max)).map_err(|error| thrown(env, &error))?;
        let object = self.place.object(&key).map_err(|error| thrown(env, &error))?;
        Ok(ObjectHandle::new(object, self.completions.clone(env)?, limit))
    }

    /// The earliest pending alarm of objects with one of these names, in milliseconds; NaN for none.
    #[napi(catch_unwind)]
    pub fn next_alarm(&self, env: Env, names: Vec<String>) -> napi::Result<f64> {
        let alarms = self.alarms(env, names)?;
        Ok(alarm_number(alarms.first().map(|(at, _)| *at)))
    }

    /// The objects whose alarm is due at `nowMs`, as `NAME:id`, by time.
    #[napi(catch_unwind)]
    pub fn due_alarms(
        &self,
        env: Env,
        names: Vec<String>,
        now_ms: f64,
    ) -> napi::Result<Vec<String>> {
        let alarms = self.alarms(env, names)?;
        let due = alarms.iter().take_while(|(at, _)| alarm_number(Some(*at)) <= now_ms);
        Ok(due.map(|(_, key)| key.to_string()).collect())
    }

    /// All objects with a pending alarm, as `NAME:id`, by time.
    #[napi(catch_unwind)]
    pub fn pending_alarms(&self, env: Env, names: Vec<String>) -> napi::Result<Vec<String>> {
        Ok(self.alarms(env, names)?.iter().map(|(_, key)| key.to_string()).collect())
    }

    /// The pending alarms of objects with one of these names, by time.
    #[napi(catch_unwind)]
    pub fn alarms_of(&self, env: Env, names: Vec<String>) -> napi::Result<Vec<PendingAlarm>> {
        let alarms = self.alarms(env, names)?;
        let pending = |(at, key): &(i64, ObjectKey)| PendingAlarm {
            name: key.name.to_string(),
            id: key.id.to_string(),
            time_ms: alarm_number(Some(*at)),
        };
        Ok(alarms.iter().map(pending).collect())
    }

    /// Makes sure that the alarms of these names are known which others have set; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn refresh_alarms(&self, env: Env, names: Vec<String>) -> napi::Result<f64> {
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        let answer = self.place.refresh_alarms(&names);
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// Names under which there may be objects, in order, packed into `scratch`; returns their length.
    #[napi(catch_unwind)]
    pub fn object_names(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        let answer = self.place.object_names();
        self.completions.reply(env, scratch.0, answer, |names| Reply::Packed(pack_texts(&names)))
    }

    /// Ids of the objects of that name which hold anything, in order, packed into `scratch`; returns their
    /// length.
    #[napi(catch_unwind)]
    pub fn object_ids(
        &self,
        env: Env,
        name: String,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        let answer = self.place.object_ids(&name);
        self.completions.reply(env, scratch.0, answer, |ids| Reply::Packed(pack_texts(&ids)))
    }

    /// Ends the use of the place; returns 0, or a ticket when that takes time.
    #[napi(catch_unwind)]
    pub fn close(&self, env: Env) -> napi::Result<f64> {
        self.completions.reply(env, &mut [], self.place.close(), |()| Reply::Number(0.0))
    }
}

impl Store {
    fn level(
        &self,
        env: Env,
        change: impl FnOnce(&OverlayPlace) -> Result<(), Error>,
    ) -> napi::Result<()> {
        let no_overlay = || Error::Internal("push() or pop() of a place that is no overlay".into());
        let overlay = self.overlay.as_deref().ok_or_else(no_overlay);
        overlay.and_then(change).map_err(|error| thrown(env, &error))
    }

    fn alarms(&self, env: Env, names: Vec<String>) -> napi::Result<Vec<(i64, ObjectKey)>> {
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        self.place.alarms(&names).map_err(|error| thrown(env, &error))
    }
}

/// Does `work` with random bytes of the system; what it makes is of no use if there were none.
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
