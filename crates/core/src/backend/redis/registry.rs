//! The index on the server: which objects may hold data, and which alarms may be pending.
//!
//! **An entry is written before its object or alarm, and may stay longer.** The object's own keys are the truth, and
//! one commit changes them; the index may be on another node of a cluster. The alarm and its entry share a name that
//! no other alarm has. So removing an old entry never removes a newer one.

use std::sync::Arc;

use redis::{Cmd, Value as Reply};

use super::layout::{FORMAT, FORMAT_VERSION, NAMES, ObjectNames, alarms, objects};
use super::server::connection::Connection;
use super::server::errors::Failure;
use super::server::reply::{text, words};
use super::server::script::{FORGET, LuaScript, REGISTER};
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::limits::ALARMS_READ_MAX;

/// For how many seconds the entry of an object without data is kept: a writer may be about to write the object.
const ENTRY_KEPT_SECONDS: u64 = 600;

/// What has to be in the index before a round may be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexEntries {
    /// The object may hold data.
    pub(crate) object: bool,
    /// Alarms by time, with their names.
    pub(crate) alarms: Vec<(i64, String)>,
}

/// The entry of an alarm that may be pending.
pub(crate) struct AlarmEntry {
    pub(crate) object: ObjectKey,
    /// In milliseconds.
    pub(crate) time: i64,
    /// Name of the alarm.
    pub(crate) alarm: String,
}

/// The index of one server.
pub(crate) struct Registry {
    connection: Arc<Connection>,
}

impl Registry {
    /// The index of the server behind `connection`.
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Adds an object that may hold data.
    pub(crate) async fn add_object(&self, key: &ObjectKey) -> std::result::Result<(), Failure> {
        let (mut format, mut name) = (redis::cmd("SET"), redis::cmd("SADD"));
        format.arg(FORMAT).arg(FORMAT_VERSION).arg("NX");
        name.arg(NAMES).arg(&*key.name);
        let object = self.run(&REGISTER, |cmd| {
            cmd.arg(1).arg(objects(&key.name)).arg(&*key.id);
        });
        let added = tokio::join!(self.connection.ask(&format), self.connection.ask(&name), object);
        added.0.and(added.1).and(added.2).map(|_| ())
    }

    /// Adds an alarm that may be pending.
    pub(crate) async fn add_alarm(
        &self,
        key: &ObjectKey,
        time_ms: i64,
        alarm: &str,
    ) -> std::result::Result<(), Failure> {
        let entry = format!("{alarm} {}", key.id);
        let mut add = redis::cmd("ZADD");
        self.connection.ask(add.arg(alarms(&key.name)).arg(time_ms).arg(entry)).await?;
        Ok(())
    }

    /// The first [`ALARMS_READ_MAX`] alarms of a binding that may be pending, by time.
    pub(crate) async fn alarms(&self, name: &Arc<str>) -> Result<Vec<AlarmEntry>> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(alarms(name)).arg(0).arg(ALARMS_READ_MAX - 1).arg("WITHSCORES");
        let pairs = self.pairs(&range).await?;
        let entries = pairs.iter().filter_map(|(entry, time)| {
            let (alarm, id) = entry.split_once(' ')?;
            #[expect(clippy::cast_possible_truncation, reason = "alarms are whole milliseconds")]
            let time = time.parse::<f64>().unwrap_or_default() as i64;
            let object = ObjectKey { name: name.clone(), id: id.into() };
            Some(AlarmEntry { object, time, alarm: alarm.into() })
        });
        Ok(entries.collect())
    }

    /// Removes the entry of an alarm.
    pub(crate) async fn remove_alarm(
        &self,
        key: &ObjectKey,
        alarm: &str,
    ) -> std::result::Result<(), Failure> {
        let entry = format!("{alarm} {}", key.id);
        self.connection.ask(redis::cmd("ZREM").arg(alarms(&key.name)).arg(entry)).await?;
        Ok(())
    }

    /// Ids of the objects of a binding that hold data or an alarm, in order. Removes the entries of the others.
    pub(crate) async fn object_ids(&self, name: &str) -> Result<Vec<Arc<str>>> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(objects(name)).arg(0).arg(-1).arg("WITHSCORES");
        let mut ids = Vec::new();
        for (id, added) in self.pairs(&range).await? {
            let key = ObjectKey { name: name.into(), id: Arc::from(&*id) };
            if self.exists(&key).await? {
                ids.push(key.id);
            } else {
                self.remove_object(name, &id, &added).await?;
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Names of the bindings that may have objects, in order.
    pub(crate) async fn names(&self) -> Result<Vec<Arc<str>>> {
        let members = redis::cmd("SMEMBERS").arg(NAMES).clone();
        let found = words(self.connection.ask_until_answered(&members).await?)?;
        let names = found.into_iter().map(|name| text(Some(name)).map(Arc::from));
        let mut names = names.collect::<Result<Vec<Arc<str>>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// Whether an object holds data or an alarm.
    async fn exists(&self, key: &ObjectKey) -> Result<bool> {
        let names = ObjectNames::new(key);
        let mut values = redis::cmd("EXISTS");
        values.arg(names.values());
        // An alarm that is being handled is stored, although no caller sees it.
        let alarms = ["alarm", "claim_on"].map(|field| {
            let mut alarm = redis::cmd("HEXISTS");
            alarm.arg(names.meta()).arg(field);
            alarm
        });
        for question in [values].into_iter().chain(alarms) {
            if self.connection.ask_until_answered(&question).await? == Reply::Int(1) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the entry of an object without data, unless it was added again since `added` or is new.
    async fn remove_object(&self, name: &str, id: &str, added: &str) -> Result<()> {
        let removed = self
            .run(&FORGET, |cmd| {
                cmd.arg(1).arg(objects(name)).arg(id).arg(added).arg(ENTRY_KEPT_SECONDS);
            })
            .await;
        removed.map(|_| ()).map_err(|failure| failure.error())
    }

    /// The reply to a command that gives pairs.
    async fn pairs(&self, cmd: &Cmd) -> Result<Vec<(String, String)>> {
        let mut words = words(self.connection.ask_until_answered(cmd).await?)?.into_iter();
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
    ) -> std::result::Result<Reply, Failure> {
        let call = |whole| {
            let mut cmd = script.call(whole);
            arguments(&mut cmd);
            cmd
        };
        let reply = self.connection.ask(&call(false)).await;
        if matches!(reply, Err(Failure::UnknownScript)) {
            return self.connection.ask(&call(true)).await;
        }
        reply
    }
}
