//! One object's storage: reads and writes of its keys, plain or in a transaction.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ferroflare_core::backend::{Committed, ObjectStorage, ReadResult, ReadView};
use ferroflare_core::concurrency::TransactionId;
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::Attempt;
use ferroflare_core::write_batch::{TurnId, WriteBatch};
use ferroflare_core::{Answer, Error};
use napi::Env;
use napi::bindgen_prelude::Reference;
use napi_derive::napi;

use crate::arguments::{KeyArgument, Scratch, packed, whole};
use crate::checks::Limits;
use crate::codes::{ABSENT, LOST, WRITE_UNIT, number};
use crate::completions::{Completions, Reply};
use crate::error::thrown;
use crate::numbered::Number;
use crate::packing::{Unpack, pack_entries, pack_found};
use crate::running::RunningTransactions;
use crate::scope::Scope;
use crate::sql::OpenSql;

/// Bits of the `flags` of `list()`: which bounds are packed, and the direction.
const LIST_START: u32 = 1;
const LIST_START_AFTER: u32 = 2;
const LIST_END: u32 = 4;
const LIST_PREFIX: u32 = 8;
const LIST_REVERSE: u32 = 16;

/// The storage of one object, for one JavaScript environment. A clone is the same handle.
#[napi]
#[derive(Clone)]
pub struct ObjectHandle(Rc<OpenObject>);

impl Deref for ObjectHandle {
    type Target = OpenObject;

    fn deref(&self) -> &OpenObject {
        &self.0
    }
}

/// What a handle stands for.
pub struct OpenObject {
    pub(crate) object: Arc<dyn ObjectStorage>,
    pub(crate) completions: Reference<Completions>,
    limits: Limits,
    pub(crate) transactions: RunningTransactions,
    pub(crate) sql: OpenSql,
    /// Whether anything was written through this handle since it sealed a batch.
    pub(crate) unsealed: Arc<AtomicBool>,
    /// The claim of the alarm that was made through this handle last; 0 for none.
    pub(crate) claim: Arc<AtomicU64>,
    /// The turn of the event loop whose writes may be undone.
    pub(crate) turn: Cell<Option<TurnId>>,
    number: Number,
}

/// What an operation reads or writes.
pub(crate) enum Target {
    /// The newest state of the object. The id, if any, names the attempt whose closure issued the operation.
    Newest(Option<TransactionId>),
    /// The state that a running attempt sees.
    Attempt(Arc<Attempt>),
}

impl ObjectHandle {
    pub(crate) fn new(
        object: Arc<dyn ObjectStorage>,
        completions: Reference<Completions>,
        limits: Limits,
    ) -> Self {
        Self(Rc::new_cyclic(|open| OpenObject {
            object,
            completions,
            limits,
            transactions: RunningTransactions::default(),
            sql: OpenSql::default(),
            unsealed: Arc::default(),
            claim: Arc::default(),
            turn: Cell::new(None),
            number: Number::new(open.clone()),
        }))
    }

    /// The handle with that number, which a quick call names.
    pub(crate) fn numbered(number: u32) -> Option<Self> {
        Number::find(number).map(Self)
    }

    pub(crate) fn target(&self, env: Env, scope: Scope) -> napi::Result<Target> {
        let Scope::InTransaction(id) = scope else {
            return Ok(Target::Newest(scope.issued_by()));
        };
        let attempt = self.transactions.get(id).and_then(|transaction| transaction.attempt());
        attempt.map(Target::Attempt).map_err(|error| thrown(env, &error))
    }

    fn read(
        &self,
        env: Env,
        keys: Vec<Key>,
        scope: Scope,
    ) -> napi::Result<Answer<ReadResult<Vec<Option<Value>>>>> {
        Ok(match self.target(env, scope)? {
            Target::Attempt(attempt) => attempt.read(keys),
            Target::Newest(issued_by) => {
                latest(self.object.read(keys, ReadView::Latest(issued_by)))
            }
        })
    }

    pub(crate) fn write(
        &self,
        env: Env,
        mut writes: WriteBatch,
        issued_by: Option<TransactionId>,
    ) -> napi::Result<f64> {
        self.unsealed.store(true, Ordering::Relaxed);
        if let Some(turn) = self.turn.get() {
            writes.belongs_to(turn);
        }
        let answer = self.object.write(writes, issued_by);
        self.completions.reply(env, &mut [], answer, |committed| Reply::Number(written(committed)))
    }

    fn put_pairs(&self, env: Env, pairs: Vec<Entry>, scope: Scope) -> napi::Result<f64> {
        match self.target(env, scope)? {
            Target::Attempt(attempt) => {
                attempt.put(pairs).map(|()| 0.0).map_err(|error| thrown(env, &error))
            }
            Target::Newest(issued_by) => {
                let mut writes = WriteBatch::default();
                for (key, value) in pairs {
                    writes.put(key, value);
                }
                self.write(env, writes, issued_by)
            }
        }
    }

    fn delete_keys(&self, env: Env, keys: Vec<Key>, scope: Scope) -> napi::Result<f64> {
        match self.target(env, scope)? {
            Target::Attempt(attempt) => {
                self.completions.reply(env, &mut [], attempt.delete(keys), |read| {
                    Reply::Number(match read {
                        ReadResult::Value(count) => f64::from(count),
                        ReadResult::Conflict(_) => LOST,
                    })
                })
            }
            Target::Newest(issued_by) => {
                let mut writes = WriteBatch::default();
                for key in keys {
                    writes.delete(key);
                }
                self.write(env, writes, issued_by)
            }
        }
    }
}

#[napi]
impl ObjectHandle {
    /// The number of this handle for quick calls.
    #[napi(catch_unwind)]
    pub fn quick_number(&self) -> u32 {
        self.number.get()
    }

    /// Reads one key into `scratch`; returns the length of its value.
    #[napi(catch_unwind)]
    pub fn get(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string")] key: KeyArgument,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        self.limits.check_key(env, &key.0)?;
        let answer = self.read(env, vec![key.0], scope)?;
        self.completions.reply(env, scratch.0, answer, |read| match read {
            ReadResult::Value(mut values) => {
                values.pop().flatten().map_or(Reply::Number(ABSENT), Reply::Bytes)
            }
            ReadResult::Conflict(_) => Reply::Number(LOST),
        })
    }

    /// Reads the keys packed in `scratch`; returns the length of what was found, packed as position, value.
    #[napi(catch_unwind)]
    pub fn get_many(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let keys = self.limits.keys(env, packed(scratch.0, length)?)?;
        let answer = self.read(env, keys, scope)?;
        self.completions.reply(env, scratch.0, answer, |read| match read {
            ReadResult::Value(values) => Reply::Packed(pack_found(&values)),
            ReadResult::Conflict(_) => Reply::Number(LOST),
        })
    }

    /// Lists a range. `flags` tells which bounds are packed in `scratch`, in the order start, startAfter, end, prefix. Its
    /// flag of value 16 asks for the reverse order. A `limit` below 0 is no limit. Returns the packed length.
    #[napi(catch_unwind)]
    pub fn list(
        &self,
        env: Env,
        flags: u32,
        limit: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let scan = walk(flags, limit, packed(scratch.0, length)?)?;
        let answer = match self.target(env, scope)? {
            Target::Attempt(attempt) => attempt.list(scan),
            Target::Newest(issued_by) => {
                latest(self.object.list(scan, ReadView::Latest(issued_by)))
            }
        };
        self.completions.reply(env, scratch.0, answer, |read| match read {
            ReadResult::Value(entries) => Reply::Packed(pack_entries(&entries)),
            ReadResult::Conflict(_) => Reply::Number(LOST),
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
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let value = packed(scratch.0, length)?;
        self.limits.check_key(env, &key.0)?;
        self.limits.check_value(env, value)?;
        self.put_pairs(env, vec![(key.0, Arc::from(value))], scope)
    }

    /// Stores the pairs packed in `scratch`; `count` is the number of pairs that the user passed.
    #[napi(catch_unwind)]
    pub fn put_many(
        &self,
        env: Env,
        count: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let pairs = self.limits.pairs(env, count, packed(scratch.0, length)?)?;
        let pairs = pairs.iter().map(|(key, value)| (Key::from(*key), Value::from(*value)));
        self.put_pairs(env, pairs.collect(), scope)
    }

    /// Removes one key; returns whether it existed, as 1 or 0.
    #[napi(catch_unwind)]
    pub fn delete(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string")] key: KeyArgument,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        self.limits.check_key(env, &key.0)?;
        self.delete_keys(env, vec![key.0], scope)
    }

    /// Removes the keys packed in `scratch`; returns how many existed.
    #[napi(catch_unwind)]
    pub fn delete_many(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let keys = self.limits.keys(env, packed(scratch.0, length)?)?;
        self.delete_keys(env, keys, scope)
    }

    /// Removes every key and the alarm.
    #[napi(catch_unwind)]
    pub fn delete_all(
        &self,
        env: Env,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let mut writes = WriteBatch::default();
        writes.clear();
        writes.set_alarm(None);
        self.write(env, writes, scope.issued_by())
    }

    /// Throws an error if one of the pairs packed so far is wrong.
    #[napi(catch_unwind)]
    pub fn check_pairs(
        &self,
        env: Env,
        count: f64,
        #[napi(ts_arg_type = "Uint8Array")] scratch: Scratch<'_>,
        length: f64,
    ) -> napi::Result<()> {
        self.limits.pairs(env, count, packed(scratch.0, length)?).map(|_| ())
    }
}

/// A plain read always finds the newest state.
pub(crate) fn latest<T: Send + 'static>(answer: Answer<ReadResult<T>>) -> Answer<ReadResult<T>> {
    answer.and_then(|read| match read {
        ReadResult::Value(found) => Ok(ReadResult::Value(found)),
        ReadResult::Conflict(_) => Err(Error::Internal("a plain read is a conflict".into())),
    })
}

fn written(committed: Committed) -> f64 {
    number(committed.ticket * WRITE_UNIT + u64::from(committed.removed))
}

/// The walk of a `list()`. `flags` tells which bounds are packed, in the order start, startAfter, end, prefix.
pub(crate) fn walk(flags: u32, limit: f64, packed: &[u8]) -> napi::Result<Scan> {
    let mut bounds = Unpack(packed);
    let mut bound = |bit| (flags & bit != 0).then(|| bounds.bytes()).transpose();
    Ok(Scan::new(&ListOptions {
        start: bound(LIST_START)?,
        start_after: bound(LIST_START_AFTER)?,
        end: bound(LIST_END)?,
        prefix: bound(LIST_PREFIX)?,
        reverse: flags & LIST_REVERSE != 0,
        limit: (limit >= 0.0).then(|| whole(limit)),
    }))
}
