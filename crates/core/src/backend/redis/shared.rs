//! What the objects of one place share: the connection, names that nobody else gives, and the notes on the
//! server about which objects and alarms there are.
//!
//! **Notes are made before what they tell of, and may tell of what is not there:** an object's own keys are the
//! truth, in one commit, while notes may be on another node of a cluster. A note of an alarm has a name of its
//! own, which the alarm has too, so that removing an old note never removes a newer one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use redis::{Cmd, Value as Answer};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant};

use super::failure::Failure;
use super::link::Link;
use super::names::{FORMAT, FORMAT_VERSION, NAMES, alarms, objects};
use super::object::RedisObject;
use super::reply::{text, words};
use super::script::{FORGET, LuaScript, REGISTER};
use crate::alarm::AlarmIndex;
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::lock::lock;
use crate::transaction::TransactionId;

/// A note of an object that is gone is kept for so many seconds, in case somebody is about to write.
const NOTE_KEPT_SECONDS: u64 = 600;

/// How long to wait before a question is asked again that was not answered.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The common ground of a place's objects.
pub(super) struct Shared {
    /// The connection.
    pub(super) link: Link,
    /// Name of this user of the place; nobody else has it.
    pub(super) client: String,
    /// Where background work runs.
    pub(super) runtime: Handle,
    /// The alarms as far as they are known.
    pub(super) alarms: Arc<AlarmIndex>,
    /// Objects whose alarm was changed here since the notes were read.
    changed: Mutex<HashSet<ObjectKey>>,
    /// Objects whose alarm was not due: up to which time, and when they said so.
    refused: Mutex<HashMap<ObjectKey, (i64, Instant)>>,
    /// Objects with something to send at the end of this turn of the event loop; none if there is no event loop.
    corked: Option<Mutex<Vec<Weak<RedisObject>>>>,
    newest: AtomicU64,
}

impl Shared {
    /// Common ground over `link`. With `corked`, what is asked is sent when [`Self::uncork`] is called.
    pub(super) fn new(link: Link, client: String, runtime: Handle, corked: bool) -> Self {
        Self {
            link,
            client,
            runtime,
            alarms: Arc::default(),
            changed: Mutex::default(),
            refused: Mutex::default(),
            corked: corked.then(Mutex::default),
            newest: AtomicU64::new(0),
        }
    }

    /// A number that was not given before.
    pub(super) fn next_id(&self) -> TransactionId {
        self.newest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The name of a number on the server.
    pub(super) fn name_of(&self, id: TransactionId) -> String {
        format!("{}.{id}", self.client)
    }

    /// A name that nobody else has given.
    pub(super) fn new_name(&self) -> String {
        self.name_of(self.next_id())
    }

    /// Notes here that an object's alarm is changed.
    pub(super) fn set_alarm(&self, key: &ObjectKey, alarm: Option<i64>) -> Result<()> {
        lock(&self.changed)?.insert(key.clone());
        self.alarms.set(key, alarm)
    }

    /// Objects whose alarm was changed here since the notes were read.
    pub(super) fn changed_alarms(&self) -> Result<MutexGuard<'_, HashSet<ObjectKey>>> {
        lock(&self.changed)
    }

    /// Notes here that an object had no alarm due by then.
    pub(super) fn refuse_alarm(&self, key: &ObjectKey, due_ms: i64) -> Result<()> {
        lock(&self.refused)?.insert(key.clone(), (due_ms, Instant::now()));
        Ok(())
    }

    /// Whether an object had no alarm for that time, when asked after `when`.
    pub(super) fn has_refused(&self, key: &ObjectKey, time_ms: i64, when: Instant) -> Result<bool> {
        let refused = lock(&self.refused)?.get(key).copied();
        Ok(refused.is_some_and(|(due_ms, at)| time_ms <= due_ms && at > when))
    }

    /// Forgets the refusals of objects without a note.
    pub(super) fn forget_refusals(&self, noted: &HashMap<ObjectKey, i64>) -> Result<()> {
        lock(&self.refused)?.retain(|key, _| noted.contains_key(key));
        Ok(())
    }

    /// Whether what is asked in one turn of an event loop is sent together at its end.
    pub(super) fn is_corked(&self) -> bool {
        self.corked.is_some()
    }

    /// Remembers that an object has something to send; false if it has to do so itself.
    pub(super) fn cork(&self, object: &Weak<RedisObject>) -> bool {
        let Some(corked) = &self.corked else {
            return false;
        };
        let Ok(mut corked) = lock(corked) else {
            return false;
        };
        if !corked.last().is_some_and(|last| last.ptr_eq(object)) {
            corked.push(object.clone());
        }
        true
    }

    /// Sends what has gathered in this turn of the event loop.
    pub(super) fn uncork(&self) {
        let Some(corked) = &self.corked else {
            return;
        };
        let objects = lock(corked).map(|mut corked| std::mem::take(&mut *corked));
        for object in objects.unwrap_or_default() {
            if let Some(object) = object.upgrade() {
                object.kick();
            }
        }
    }

    /// Notes that an object may hold data.
    pub(super) async fn note_object(&self, key: &ObjectKey) -> std::result::Result<(), Failure> {
        let (mut format, mut name) = (redis::cmd("SET"), redis::cmd("SADD"));
        format.arg(FORMAT).arg(FORMAT_VERSION).arg("NX");
        name.arg(NAMES).arg(&*key.name);
        let object = self.run(&REGISTER, |cmd| {
            cmd.arg(1).arg(objects(&key.name)).arg(&*key.id);
        });
        let noted = tokio::join!(self.link.ask(&format), self.link.ask(&name), object);
        noted.0.and(noted.1).and(noted.2).map(|_| ())
    }

    /// Notes that an object may have an alarm.
    pub(super) async fn note_alarm(
        &self,
        key: &ObjectKey,
        time_ms: i64,
        name: &str,
    ) -> std::result::Result<(), Failure> {
        let note = format!("{name} {}", key.id);
        self.link.ask(redis::cmd("ZADD").arg(alarms(&key.name)).arg(time_ms).arg(note)).await?;
        Ok(())
    }

    /// Removes the note of an alarm.
    pub(super) async fn forget_alarm(
        &self,
        key: &ObjectKey,
        name: &str,
    ) -> std::result::Result<(), Failure> {
        let note = format!("{name} {}", key.id);
        self.link.ask(redis::cmd("ZREM").arg(alarms(&key.name)).arg(note)).await?;
        Ok(())
    }

    /// Ids that may hold data, in order, with when each was noted.
    pub(super) async fn noted_objects(&self, name: &str) -> Result<Vec<(String, String)>> {
        let mut cmd = redis::cmd("ZRANGE");
        cmd.arg(objects(name)).arg(0).arg(-1).arg("WITHSCORES");
        self.pairs(&cmd).await
    }

    /// Removes the note of an object that is gone, unless it is fresh.
    pub(super) async fn forget_object(&self, name: &str, id: &str, noted: &str) -> Result<()> {
        let forgotten = self
            .run(&FORGET, |cmd| {
                cmd.arg(1).arg(objects(name)).arg(id).arg(noted).arg(NOTE_KEPT_SECONDS);
            })
            .await;
        forgotten.map(|_| ()).map_err(|failure| failure.error())
    }

    /// A question about no particular object, which changes nothing: it is asked again while the server may
    /// yet answer.
    pub(super) async fn ask(&self, cmd: &Cmd) -> Result<Answer> {
        let deadline = Instant::now() + self.link.patience();
        loop {
            let failure = match self.link.ask(cmd).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let lasts = matches!(failure, Failure::Final(_) | Failure::UnknownScript);
            if lasts || Instant::now() >= deadline {
                return Err(failure.error());
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The answer to a question that gives pairs.
    pub(super) async fn pairs(&self, cmd: &Cmd) -> Result<Vec<(String, String)>> {
        let mut words = words(self.ask(cmd).await?)?.into_iter();
        let mut pairs = Vec::new();
        while let Some(first) = words.next() {
            pairs.push((text(Some(first))?, text(words.next())?));
        }
        Ok(pairs)
    }

    async fn run(
        &self,
        script: &LuaScript,
        arguments: impl Fn(&mut Cmd),
    ) -> std::result::Result<Answer, Failure> {
        let call = |whole| {
            let mut cmd = script.call(whole);
            arguments(&mut cmd);
            cmd
        };
        let answer = self.link.ask(&call(false)).await;
        if matches!(answer, Err(Failure::UnknownScript)) {
            return self.link.ask(&call(true)).await;
        }
        answer
    }
}
