//! The SQL of an object: cursors, savepoints, the database as a whole.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ferroflare_core::backend::{ObjectStorage, Rested, SqlStorage, Ticket};
use ferroflare_core::sqlite::{Binding, Database, Savepoint, Session, Step};
use ferroflare_core::{Answer, Error, Result};
use napi::Env;
use napi_derive::napi;
use tokio::time::timeout;

use crate::arguments::{QueryArgument, Scratch, packed, whole};
use crate::codes::number;
use crate::completions::Reply;
use crate::error::thrown;
use crate::object::{ObjectHandle, walk};
use crate::packing::{Unpack, pack_texts};
use crate::runtime;
use crate::sql_reply::SqlReply;

/// Keeps the database of an object open.
struct Opened {
    object: Arc<dyn ObjectStorage>,
    /// Whether the core does not keep it open any more.
    has_ended: bool,
}

impl Opened {
    fn new(object: Arc<dyn ObjectStorage>) -> Self {
        Self { object, has_ended: false }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let (false, Some(sql)) = (self.has_ended, self.object.sql()) {
            sql.close_sql();
        }
    }
}

/// How long the event loop may wait for a database that code uses without a promise.
const OPEN_LIMIT: Duration = Duration::from_secs(5);

/// What a handle needs for SQL.
#[derive(Default)]
pub(crate) struct OpenSql {
    opened: Arc<Mutex<Option<Opened>>>,
    /// What SQL goes on with when the database is open again.
    rested: Mutex<Option<Rested>>,
    reply: RefCell<SqlReply>,
}

impl OpenSql {
    /// Whether the database is kept open.
    pub(crate) fn is_open(&self) -> bool {
        self.opened.lock().is_ok_and(|opened| opened.is_some())
    }

    fn opened(&self) -> MutexGuard<'_, Option<Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rested(&self) -> MutexGuard<'_, Option<Rested>> {
        self.rested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectHandle {
    fn sql_storage(&self, env: Env) -> napi::Result<&dyn SqlStorage> {
        self.object.sql().ok_or_else(|| thrown(env, &Error::NoSql))
    }

    fn with_sql<R>(
        &self,
        env: Env,
        mut work: impl FnMut(&mut Database) -> Result<R>,
    ) -> napi::Result<(R, Ticket)> {
        let mut result = None;
        let worked = self.sql_storage(env)?.with_sql(&mut |database| {
            result = Some(work(database)?);
            Ok(())
        });
        match (worked, result) {
            (Ok(ticket), Some(result)) => Ok((result, ticket)),
            (Err(error), _) => Err(thrown(env, &error)),
            (Ok(_), None) => Err(thrown(env, &Error::NoSql)),
        }
    }

    /// Has `work` hand over rows, and packs them.
    fn rows(
        &self,
        env: Env,
        scratch: &mut [u8],
        mut work: impl FnMut(&mut Database, &mut SqlReply) -> Result<Step>,
    ) -> napi::Result<f64> {
        let reply = &self.sql.reply;
        let (step, ticket) = self.with_sql(env, |database| {
            let mut reply = reply.borrow_mut();
            reply.begin();
            work(database, &mut reply)
        })?;
        reply.borrow_mut().end(step, ticket);
        self.note_sql(ticket);
        Ok(self.written_reply(scratch))
    }

    fn written_reply(&self, scratch: &mut [u8]) -> f64 {
        match self.sql.reply.borrow().write(scratch) {
            Ok(length) => number(length as u64),
            Err(needed) => -number(needed as u64),
        }
    }

    /// A handle that has written seals the batch at its end.
    fn note_sql(&self, ticket: Ticket) {
        if ticket > 0 {
            self.unsealed.store(true, Ordering::Relaxed);
        }
    }
}

#[napi]
impl ObjectHandle {
    /// Makes the object SQLite-backed, with what it holds, and keeps its database open until `closeSql()`; returns 0, or a
    /// ticket.
    #[napi(catch_unwind)]
    pub fn open_sql(&self, env: Env) -> napi::Result<f64> {
        let answer: Answer<()> = self.sql_storage(env)?.open_sql();
        let (opened, object) = (self.sql.opened.clone(), self.object.clone());
        self.completions.reply(env, &mut [], answer, move |()| {
            let opening = Opened::new(object);
            *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opening);
            Reply::Number(0.0)
        })
    }

    /// As `openSql()`, for code that cannot wait: the event loop does.
    #[napi(catch_unwind)]
    pub fn open_sql_now(&self, env: Env) -> napi::Result<()> {
        let opened = match self.sql_storage(env)?.open_sql() {
            Answer::Now(opened) => opened,
            Answer::Later(pending) => runtime::required().and_then(|runtime| {
                let waited = runtime.block_on(async { timeout(OPEN_LIMIT, pending).await });
                waited.unwrap_or_else(|_| Err(Error::NoAnswer { seconds: OPEN_LIMIT.as_secs() }))
            }),
        };
        opened.map_err(|error| thrown(env, &error))?;
        *self.sql.opened() = Some(Opened::new(self.object.clone()));
        Ok(())
    }

    /// A new instance begins: SQL sees a fresh connection.
    #[napi(catch_unwind)]
    pub fn sql_begin(&self, env: Env) -> napi::Result<()> {
        self.with_sql(env, |database| database.enter(&Session::default())).map(drop)
    }

    /// Ends the use of the database until it is opened again, if nothing of it is open; says whether it did.
    #[napi(catch_unwind)]
    pub fn sql_rest(&self) -> bool {
        let mut opened = self.sql.opened();
        let rested = opened.as_ref().and_then(|opened| opened.object.sql()?.rest_sql());
        let rests = rested.is_some();
        if rests {
            *self.sql.rested() = rested;
            if let Some(mut opened) = opened.take() {
                opened.has_ended = true;
            }
        }
        rests
    }

    /// The database is open again after `sqlRest()`. Says whether no other process has had the object since.
    #[napi(catch_unwind)]
    pub fn sql_resume(&self, env: Env) -> napi::Result<bool> {
        let Some(rested) = self.sql.rested().take() else {
            return Ok(true);
        };
        let resumed = self.sql_storage(env)?.resume_sql(&rested);
        resumed.map_err(|error| thrown(env, &error))
    }

    /// The class of the object is not SQLite-backed: a SQLite database is an error.
    #[napi(catch_unwind)]
    pub fn expect_keys(&self, env: Env) -> napi::Result<()> {
        let expected = self.object.sql().map_or(Ok(()), SqlStorage::expect_keys);
        expected.map_err(|error| thrown(env, &error))
    }

    /// Ends the use of the database: it may be closed.
    #[napi(catch_unwind)]
    pub fn close_sql(&self) {
        drop(self.sql.opened().take());
    }

    /// Ends the cursor `ended`, and runs `query` to its first row. Its parameters are packed in `scratch`, which gets the reply. Returns the length of the
    /// reply, negated if it does not fit: then `sqlTake()` has it.
    #[napi(catch_unwind)]
    pub fn sql_exec(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string")] query: QueryArgument,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        ended: u32,
    ) -> napi::Result<f64> {
        let bindings = bindings(packed(scratch.0, length)?)?;
        let stepped = self.rows(env, &mut [], |database, reply| {
            database.close_cursor(ended);
            database.execute(query.text()?, &bindings, &mut |value| reply.push(value))
        });
        drop(bindings);
        stepped.map(|_| self.written_reply(scratch.0))
    }

    /// At most `rows` further rows of an open cursor, as `sqlExec()` replies.
    #[napi(catch_unwind)]
    pub fn sql_next(
        &self,
        env: Env,
        cursor: u32,
        rows: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        self.rows(env, scratch.0, |database, reply| {
            database.advance(cursor, whole(rows), &mut |value| reply.push(value))
        })
    }

    /// Lists a range as a cursor with the columns key and value. `flags`, `limit` and what is packed in `scratch` are those
    /// of `list()`. The reply has no row yet.
    #[napi(catch_unwind)]
    pub fn sql_list(
        &self,
        env: Env,
        flags: u32,
        limit: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
    ) -> napi::Result<f64> {
        let scan = walk(flags, limit, packed(scratch.0, length)?)?;
        self.rows(env, scratch.0, |database, _| database.list_entries(&scan))
    }

    /// The reply that did not fit.
    #[napi(catch_unwind)]
    pub fn sql_take(&self, #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>) -> f64 {
        self.written_reply(scratch.0)
    }

    /// The names of columns, by their number in a reply, packed. Returns the length as `sqlExec()` does; if it does not fit,
    /// `sqlColumns()` has to be called again.
    #[napi(catch_unwind)]
    pub fn sql_columns(
        &self,
        env: Env,
        names: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
    ) -> napi::Result<f64> {
        let (names, _) =
            self.with_sql(env, |database| database.column_names(whole(names) as u64))?;
        let packed = pack_texts(&names.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>());
        let length = number(packed.len() as u64);
        Ok(scratch.0.get_mut(..packed.len()).map_or(-length, |target| {
            target.copy_from_slice(&packed);
            length
        }))
    }

    /// Ends a cursor. One that has ended already is ignored.
    #[napi(catch_unwind)]
    pub fn sql_close(&self, env: Env, cursor: u32) -> napi::Result<()> {
        self.with_sql(env, |database| {
            database.close_cursor(cursor);
            Ok(())
        })
        .map(drop)
    }

    /// Begins a savepoint (0), or ends the newest one: keeps its writes (1), or undoes them (2). Returns a ticket.
    #[napi(catch_unwind)]
    pub fn sql_savepoint(&self, env: Env, action: u32) -> napi::Result<f64> {
        let action = match action {
            0 => Savepoint::Begin,
            1 => Savepoint::Release,
            _ => Savepoint::RollBack,
        };
        let ((), ticket) = self.with_sql(env, |database| database.savepoint(action))?;
        self.note_sql(ticket);
        Ok(number(ticket))
    }

    /// Keeps the transaction open at the ends of turns of the event loop, until this is called with `false` as often.
    #[napi(catch_unwind)]
    pub fn sql_hold(&self, env: Env, holds: bool) -> napi::Result<()> {
        self.with_sql(env, |database| {
            database.hold(holds);
            Ok(())
        })
        .map(drop)
    }

    /// Whether anything is written that is not committed.
    #[napi(catch_unwind)]
    pub fn sql_is_dirty(&self, env: Env) -> napi::Result<bool> {
        self.with_sql(env, |database| Ok(database.is_dirty())).map(|(dirty, _)| dirty)
    }

    /// A text that grows with each call, as Miniflare 4 makes it: no history is kept.
    #[napi(catch_unwind)]
    pub fn sql_bookmark(&self, env: Env) -> napi::Result<String> {
        let (bookmark, ticket) = self.with_sql(env, Database::next_bookmark)?;
        self.note_sql(ticket);
        let (high, low) = (bookmark >> 32, bookmark & 0xFFFF_FFFF);
        Ok(format!("{high:08x}-{low:08x}-00000000-{:032x}", 0))
    }

    /// What the pages in use take, in bytes.
    #[napi(catch_unwind)]
    pub fn sql_size(&self, env: Env) -> napi::Result<f64> {
        self.with_sql(env, Database::size).map(|(size, _)| number(size))
    }

    /// Deletes everything, or all but the alarm; cursors end. Returns a ticket.
    #[napi(catch_unwind)]
    pub fn sql_reset(&self, env: Env, keep_alarm: bool) -> napi::Result<f64> {
        let reset = self.sql_storage(env)?.reset_sql(!keep_alarm);
        reset.map(number).map_err(|error| thrown(env, &error))
    }

    /// Whether the object is SQLite-backed, as 1 or 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn is_sqlite(&self, env: Env) -> napi::Result<f64> {
        let answer = self.object.sql().map_or(Answer::Now(Ok(false)), SqlStorage::is_sqlite);
        self.completions.reply(env, &mut [], answer, |is| Reply::Number(f64::from(is)))
    }

    /// Whether another process waits for the object.
    #[napi(catch_unwind)]
    pub fn sql_is_wanted(&self) -> bool {
        self.object.sql().is_some_and(SqlStorage::is_wanted)
    }
}

/// Unpacks parameters: for each a tag, then a number, or a text or bytes behind their length.
fn bindings(packed: &[u8]) -> napi::Result<Vec<Binding<'_>>> {
    let mut rest = Unpack(packed);
    let mut bindings = Vec::new();
    while let Some((tag, behind)) = rest.0.split_first() {
        rest.0 = behind;
        bindings.push(match tag {
            0 => Binding::Null,
            1 => Binding::Number(rest.number()?),
            2 => Binding::Text(rest.bytes()?),
            _ => Binding::Blob(rest.bytes()?),
        });
    }
    Ok(bindings)
}
