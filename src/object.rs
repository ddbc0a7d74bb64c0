//! One object's storage, plain and in transactions.
//!
//! Each data operation takes `at`: 0 for a plain operation, the number of a transaction that `begin()`
//! gave, or the negated number of an attempt that runs alone, for a plain operation out of its closure.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ferroflare_core::backend::{AlarmEnd, Committed, Object, Snapshot, View};
use ferroflare_core::checks::{self, ValueLimit};
use ferroflare_core::concurrency::TransactionId;
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::{Attempt, Read, Settled, Transaction};
use ferroflare_core::write_batch::{TurnId, WriteBatch};
use ferroflare_core::{Answer, Error};
use napi::Env;
use napi::bindgen_prelude::Reference;
use napi_derive::napi;

use crate::arguments::{KeyArgument, Scratch, alarm_number, packed, whole};
use crate::codes::{ABSENT, LOST, WRITE_UNIT};
use crate::completions::{Completions, Reply};
use crate::error::thrown;
use crate::packing::{Unpack, pack_entries, pack_found};

/// Bits of the `flags` of `list()`: which bounds are packed, and the direction.
const LIST_START: u32 = 1;
const LIST_START_AFTER: u32 = 2;
const LIST_END: u32 = 4;
const LIST_PREFIX: u32 = 8;
const LIST_REVERSE: u32 = 16;

/// The storage of one object, for one JavaScript environment.
#[napi]
pub struct ObjectHandle {
    object: Arc<dyn Object>,
    completions: Reference<Completions>,
    limit: ValueLimit,
    transactions: RefCell<HashMap<u32, Transaction>>,
    last_transaction: Cell<u32>,
    /// Whether anything was written through this handle since it sealed a batch.
    unsealed: Arc<AtomicBool>,
    /// The claim of the alarm that was made through this handle last; 0 for none.
    claim: Arc<AtomicU64>,
    /// The turn of the event loop whose writes may be taken back.
    turn: Cell<Option<TurnId>>,
}

/// Names turns across all objects of the process.
static NEXT_TURN: AtomicU64 = AtomicU64::new(1);

/// Where an operation takes place.
enum Scope {
    Plain(Option<TransactionId>),
    Attempt(Arc<Attempt>),
}

impl ObjectHandle {
    pub(crate) fn new(
        object: Arc<dyn Object>,
        completions: Reference<Completions>,
        limit: ValueLimit,
    ) -> Self {
        Self {
            object,
            completions,
            limit,
            transactions: RefCell::default(),
            last_transaction: Cell::new(0),
            unsealed: Arc::default(),
            claim: Arc::default(),
            turn: Cell::new(None),
        }
    }

    fn scope(&self, env: Env, at: f64) -> napi::Result<Scope> {
        if at > 0.0 {
            let attempt = self.transaction(at).and_then(|transaction| transaction.attempt());
            return attempt.map(Scope::Attempt).map_err(|error| thrown(env, &error));
        }
        Ok(Scope::Plain(origin(at)))
    }

    fn transaction(&self, at: f64) -> Result<Transaction, Error> {
        let id = u32::try_from(whole(at)).unwrap_or(0);
        let found = self.transactions.borrow().get(&id).cloned();
        found.ok_or(Error::UnknownTransaction { id: id.into() })
    }

    fn read(
        &self,
        env: Env,
        keys: Vec<Key>,
        at: f64,
    ) -> napi::Result<Answer<Read<Vec<Option<Value>>>>> {
        Ok(match self.scope(env, at)? {
            Scope::Attempt(attempt) => attempt.read(keys),
            Scope::Plain(origin) => latest(self.object.read(keys, View::Latest(origin))),
        })
    }

    fn write(
        &self,
        env: Env,
        mut writes: WriteBatch,
        origin: Option<TransactionId>,
    ) -> napi::Result<f64> {
        self.unsealed.store(true, Ordering::Relaxed);
        if let Some(turn) = self.turn.get() {
            writes.belongs_to(turn);
        }
        let answer = self.object.write(writes, origin);
        self.completions.reply(env, &mut [], answer, |committed| Reply::Number(written(committed)))
    }

    fn put_pairs(&self, env: Env, pairs: Vec<Entry>, at: f64) -> napi::Result<f64> {
        match self.scope(env, at)? {
            Scope::Attempt(attempt) => {
                attempt.put(pairs).map(|()| 0.0).map_err(|error| thrown(env, &error))
            }
            Scope::Plain(origin) => {
                let mut writes = WriteBatch::default();
                for (key, value) in pairs {
                    writes.put(key, value);
                }
                self.write(env, writes, origin)
            }
        }
    }

    fn delete_keys(&self, env: Env, keys: Vec<Key>, at: f64) -> napi::Result<f64> {
        match self.scope(env, at)? {
            Scope::Attempt(attempt) => {
                self.completions.reply(env, &mut [], attempt.delete(keys), |read| {
                    Reply::Number(match read {
                        Read::Found(count) => f64::from(count),
                        Read::Lost => LOST,
                    })
                })
            }
            Scope::Plain(origin) => {
                let mut writes = WriteBatch::default();
                for key in keys {
                    writes.delete(key);
                }
                self.write(env, writes, origin)
            }
        }
    }

    fn write_alarm(&self, env: Env, alarm: Option<i64>, at: f64) -> napi::Result<f64> {
        match self.scope(env, at)? {
            Scope::Attempt(attempt) => {
                attempt.set_alarm(alarm).map(|()| 0.0).map_err(|error| thrown(env, &error))
            }
            Scope::Plain(origin) => {
                let mut writes = WriteBatch::default();
                writes.set_alarm(alarm);
                self.write(env, writes, origin)
            }
        }
    }
}

/// A thread that is terminated in the middle of a turn seals nothing any more; others must not wait for it.
impl Drop for ObjectHandle {
    fn drop(&mut self) {
        if self.unsealed.load(Ordering::Relaxed) {
            self.object.seal();
        }
    }
}

#[napi]
impl ObjectHandle {
    /// Reads one key into `scratch`; returns the length of its value.
    #[napi(catch_unwind)]
    pub fn get(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string")] key: KeyArgument,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        at: f64,
    ) -> napi::Result<f64> {
        checks::check_key(&key.0).map_err(|error| thrown(env, &error))?;
        let answer = self.read(env, vec![key.0], at)?;
        self.completions.reply(env, scratch.0, answer, |read| match read {
            Read::Found(mut values) => {
                values.pop().flatten().map_or(Reply::Number(ABSENT), Reply::Bytes)
            }
            Read::Lost => Reply::Number(LOST),
        })
    }

    /// Reads the keys packed in `scratch`; returns the length of what was found, packed as position, value.
    #[napi(catch_unwind)]
    pub fn get_many(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        at: f64,
    ) -> napi::Result<f64> {
        let keys = batch_keys(env, packed(scratch.0, length)?)?;
        let answer = self.read(env, keys, at)?;
        self.completions.reply(env, scratch.0, answer, |read| match read {
            Read::Found(values) => Reply::Packed(pack_found(&values)),
            Read::Lost => Reply::Number(LOST),
        })
    }

    /// Lists a range; `flags` tells which bounds are packed in `scratch`, in the order start, startAfter,
    /// end, prefix, and bit 16 the reverse order. `limit` below 0 is none. Returns the packed length.
    #[napi(catch_unwind)]
    pub fn list(
        &self,
        env: Env,
        flags: u32,
        limit: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        at: f64,
    ) -> napi::Result<f64> {
        let mut bounds = Unpack(packed(scratch.0, length)?);
        let mut bound = |bit| (flags & bit != 0).then(|| bounds.bytes()).transpose();
        let scan = Scan::new(&ListOptions {
            start: bound(LIST_START)?,
            start_after: bound(LIST_START_AFTER)?,
            end: bound(LIST_END)?,
            prefix: bound(LIST_PREFIX)?,
            reverse: flags & LIST_REVERSE != 0,
            limit: (limit >= 0.0).then(|| whole(limit)),
        });
        let answer = match self.scope(env, at)? {
            Scope::Attempt(attempt) => attempt.list(scan),
            Scope::Plain(origin) => latest(self.object.list(scan, View::Latest(origin))),
        };
        self.completions.reply(env, scratch.0, answer, |read| match read {
            Read::Found(entries) => Reply::Packed(pack_entries(&entries)),
            Read::Lost => Reply::Number(LOST),
        })
    }

    /// Stores one value, the first `length` bytes of `scratch`.
    #[napi(catch_unwind)]
    pub fn put(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string")] key: KeyArgument,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        at: f64,
    ) -> napi::Result<f64> {
        let value = packed(scratch.0, length)?;
        checks::check_key(&key.0)
            .and_then(|()| self.limit.check(value))
            .map_err(|error| thrown(env, &error))?;
        self.put_pairs(env, vec![(key.0, Arc::from(value))], at)
    }

    /// Stores the pairs packed in `scratch`; `count` is the number of pairs that the user passed.
    #[napi(catch_unwind)]
    pub fn put_many(
        &self,
        env: Env,
        count: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        at: f64,
    ) -> napi::Result<f64> {
        let pairs = self.batch_pairs(env, count, packed(scratch.0, length)?)?;
        let pairs = pairs.iter().map(|(key, value)| (Key::from(*key), Value::from(*value)));
        self.put_pairs(env, pairs.collect(), at)
    }

    /// Removes one key; returns whether it existed, as 1 or 0.
    #[napi(catch_unwind)]
    pub fn delete(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string")] key: KeyArgument,
        at: f64,
    ) -> napi::Result<f64> {
        checks::check_key(&key.0).map_err(|error| thrown(env, &error))?;
        self.delete_keys(env, vec![key.0], at)
    }

    /// Removes the keys packed in `scratch`; returns how many existed.
    #[napi(catch_unwind)]
    pub fn delete_many(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        at: f64,
    ) -> napi::Result<f64> {
        let keys = batch_keys(env, packed(scratch.0, length)?)?;
        self.delete_keys(env, keys, at)
    }

    /// Removes every key and the alarm.
    #[napi(catch_unwind)]
    pub fn delete_all(&self, env: Env, at: f64) -> napi::Result<f64> {
        let mut writes = WriteBatch::default();
        writes.clear();
        writes.set_alarm(None);
        self.write(env, writes, origin(at))
    }

    /// Throws what is wrong with the pairs packed so far.
    #[napi(catch_unwind)]
    pub fn check_pairs(
        &self,
        env: Env,
        count: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
    ) -> napi::Result<()> {
        self.batch_pairs(env, count, packed(scratch.0, length)?).map(|_| ())
    }

    /// The alarm in milliseconds, NaN for none.
    #[napi(catch_unwind)]
    pub fn get_alarm(&self, env: Env, at: f64) -> napi::Result<f64> {
        let answer = match self.scope(env, at)? {
            Scope::Attempt(attempt) => attempt.alarm(),
            Scope::Plain(origin) => latest(self.object.alarm(View::Latest(origin))),
        };
        self.completions.reply(env, &mut [], answer, |read| {
            Reply::Number(match read {
                Read::Found(alarm) => alarm_number(alarm),
                Read::Lost => LOST,
            })
        })
    }

    /// Sets the alarm to a time in milliseconds.
    #[napi(catch_unwind)]
    pub fn set_alarm(&self, env: Env, ms: f64, at: f64) -> napi::Result<f64> {
        let alarm = checks::check_alarm_time(ms).map_err(|error| thrown(env, &error))?;
        self.write_alarm(env, Some(alarm), at)
    }

    /// Removes the alarm.
    #[napi(catch_unwind)]
    pub fn delete_alarm(&self, env: Env, at: f64) -> napi::Result<f64> {
        self.write_alarm(env, None, at)
    }

    /// Makes `takeAlarm()` answer at once, where opening the object takes time; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn prepare_alarm(&self, env: Env) -> napi::Result<f64> {
        let answer = self.object.prepare_alarm();
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// Removes the alarm if it is set for `dueMs` or earlier; returns whether it did, as 1 or 0.
    #[napi(catch_unwind)]
    pub fn take_alarm(&self, env: Env, due_ms: f64) -> napi::Result<f64> {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let answer = self.object.take_alarm(due_ms as i64);
        self.completions.reply(env, &mut [], answer, |took| Reply::Number(f64::from(took)))
    }

    /// The alarm that was taken has been handled; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn alarm_done(&self, env: Env) -> napi::Result<f64> {
        self.completions.reply(env, &mut [], self.object.alarm_done(), |()| Reply::Number(0.0))
    }

    /// Plain writes through this handle may be taken back from now on, until `endTurn()`.
    #[napi(catch_unwind)]
    pub fn begin_turn(&self) {
        self.turn.set(Some(NEXT_TURN.fetch_add(1, Ordering::Relaxed)));
    }

    /// The writes since `beginTurn()` stay.
    #[napi(catch_unwind)]
    pub fn end_turn(&self) {
        if let Some(turn) = self.turn.take() {
            self.object.end_turn(turn);
        }
    }

    /// Takes back the plain writes through this handle since `beginTurn()`; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn undo(&self, env: Env) -> napi::Result<f64> {
        let undone = match self.turn.take() {
            Some(turn) => self.object.undo(turn),
            None => Answer::Now(Ok(())),
        };
        self.completions.reply(env, &mut [], undone, |()| Reply::Number(0.0))
    }

    /// Claims the alarm if it is set for `dueMs` or earlier: it stays stored until `finishAlarm()`. With `again`, the
    /// postponed claim of this handle goes on. Returns for when it is set, in milliseconds, NaN for none.
    #[napi(catch_unwind)]
    pub fn claim_alarm(&self, env: Env, due_ms: f64, again: bool) -> napi::Result<f64> {
        let known = again.then(|| self.claim.load(Ordering::Relaxed));
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let answer = self.object.claim_alarm(due_ms as i64, known);
        let claim = self.claim.clone();
        self.completions.reply(env, &mut [], answer, move |claimed| {
            if let Some(claimed) = &claimed {
                claim.store(claimed.id, Ordering::Relaxed);
            }
            Reply::Number(alarm_number(claimed.map(|claimed| claimed.at)))
        })
    }

    /// Ends the claim of this handle: 0 when the alarm was handled, 1 to postpone it, 2 to leave it to others. Returns
    /// whether the claimed alarm was still set, as 1 or 0.
    #[napi(catch_unwind)]
    pub fn finish_alarm(&self, env: Env, end: u32) -> napi::Result<f64> {
        let end = match end {
            0 => AlarmEnd::Handled,
            1 => AlarmEnd::Postponed,
            _ => AlarmEnd::Released,
        };
        let answer = self.object.finish_alarm(self.claim.load(Ordering::Relaxed), end);
        self.completions.reply(env, &mut [], answer, |kept| Reply::Number(f64::from(kept)))
    }

    /// Ticket of the newest write that a read may have seen and that is not durable; 0 if there is none.
    #[napi(catch_unwind)]
    pub fn unsettled(&self) -> f64 {
        number(self.object.unsettled())
    }

    /// Waits for a write: 0 when it is durable, or a ticket.
    #[napi(catch_unwind)]
    pub fn durable(&self, env: Env, ticket: f64) -> napi::Result<f64> {
        let answer = self.object.durable(whole(ticket) as u64);
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// Ends the atomic batch of the writes of this turn of the event loop.
    #[napi(catch_unwind)]
    pub fn seal(&self) {
        self.unsealed.store(false, Ordering::Relaxed);
        self.object.seal();
    }

    /// Begins a transaction, and names it.
    #[napi(catch_unwind)]
    pub fn begin(&self, env: Env, at: f64) -> napi::Result<f64> {
        let id = self.last_transaction.get().wrapping_add(1).max(1);
        self.last_transaction.set(id);
        let transaction = Transaction::new(self.object.clone());
        self.transactions.borrow_mut().insert(id, transaction.clone());
        self.completions.reply(env, &mut [], transaction.begin(origin(at)), move |_| {
            Reply::Number(f64::from(id))
        })
    }

    /// Begins the next attempt of a transaction that has lost. Returns the number of the attempt if it
    /// runs alone, else 0.
    #[napi(catch_unwind)]
    pub fn retry(&self, env: Env, transaction: f64, at: f64) -> napi::Result<f64> {
        let transaction = self.transaction(transaction).map_err(|error| thrown(env, &error))?;
        let answer = transaction.begin(origin(at));
        self.completions.reply(env, &mut [], answer, move |attempt| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a process starts fewer than 2^53 attempts"
            )]
            let alone = if transaction.has_turn() { attempt as f64 } else { 0.0 };
            Reply::Number(alone)
        })
    }

    /// Commits a transaction's attempt; with `discard` it only validates what the attempt has read.
    /// Returns a durability ticket times 256, or the code for lost.
    #[napi(catch_unwind)]
    pub fn commit(&self, env: Env, transaction: f64, discard: bool) -> napi::Result<f64> {
        let transaction = self.transaction(transaction).map_err(|error| thrown(env, &error))?;
        let unsealed = self.unsealed.clone();
        self.completions.reply(env, &mut [], transaction.commit(discard), move |settled| {
            Reply::Number(match settled {
                Settled::Committed(Committed { ticket, .. }) => {
                    unsealed.fetch_or(ticket > 0, Ordering::Relaxed);
                    number(ticket * WRITE_UNIT)
                }
                Settled::Lost => LOST,
            })
        })
    }

    /// Forgets a transaction; an attempt that still runs ends without a trace.
    #[napi(catch_unwind)]
    pub fn end(&self, transaction: f64) {
        let id = u32::try_from(whole(transaction)).unwrap_or(0);
        let ended = self.transactions.borrow_mut().remove(&id);
        if let Some(transaction) = ended {
            transaction.rollback();
        }
    }
}

impl ObjectHandle {
    fn batch_pairs<'a>(
        &self,
        env: Env,
        count: f64,
        bytes: &'a [u8],
    ) -> napi::Result<Vec<(&'a [u8], &'a [u8])>> {
        let throw = |error: Error| thrown(env, &error);
        checks::check_pair_count(whole(count)).map_err(throw)?;
        let pairs = Unpack(bytes).pairs()?;
        for (key, value) in &pairs {
            checks::check_batch_key(key)
                .and_then(|()| self.limit.check_in_batch(key, value))
                .map_err(throw)?;
        }
        Ok(pairs)
    }
}

fn batch_keys(env: Env, bytes: &[u8]) -> napi::Result<Vec<Key>> {
    let keys = Unpack(bytes).keys()?;
    for key in &keys {
        checks::check_batch_key(key).map_err(|error| thrown(env, &error))?;
    }
    Ok(keys)
}

/// The attempt out of whose closure a plain operation comes.
fn origin(at: f64) -> Option<TransactionId> {
    (at < 0.0).then(|| whole(-at) as TransactionId)
}

/// A plain read always finds the newest state.
fn latest<T: Send + 'static>(answer: Answer<Snapshot<T>>) -> Answer<Read<T>> {
    answer.and_then(|snapshot| match snapshot {
        Snapshot::Fresh(found) => Ok(Read::Found(found)),
        Snapshot::Stale(_) => Err(Error::Internal("a plain read was stale".into())),
    })
}

fn written(committed: Committed) -> f64 {
    number(committed.ticket * WRITE_UNIT + u64::from(committed.removed))
}

#[expect(clippy::cast_precision_loss, reason = "tickets stay far below 2^45")]
fn number(value: u64) -> f64 {
    value as f64
}

/// Throws what is wrong with a key, alone.
#[napi(catch_unwind)]
pub fn check_key(env: Env, #[napi(ts_arg_type = "string")] key: KeyArgument) -> napi::Result<()> {
    checks::check_key(&key.0).map_err(|error| thrown(env, &error))
}

/// Throws if a batch names too many keys; those that are undefined count.
#[napi(catch_unwind)]
pub fn check_key_count(env: Env, count: f64) -> napi::Result<()> {
    checks::check_key_count(whole(count)).map_err(|error| thrown(env, &error))
}
