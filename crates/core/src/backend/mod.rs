//! Where data lives: the contract that every backend keeps.
//!
//! A [`Store`] is one memory, one directory or one server. It gives out the [`ObjectStorage`] of each Durable Object, and
//! knows which alarms are pending without opening the objects.
//!
//! A backend whose data is in this process implements the small [`local::Table`] and gets the whole contract from
//! [`local::LocalObject`]. A backend whose data is elsewhere implements [`ObjectStorage`] itself.

pub mod files;
pub mod local;
pub mod memory;
pub mod memory_table;
pub mod name_records;
pub mod overlay;
pub mod redis;

use std::sync::Arc;

use crate::answer::Answer;
use crate::concurrency::{ReadSet, Sequence, TransactionId};
pub use crate::durability::Ticket;
use crate::error::Result;
use crate::key::{Entry, Key, Value};
pub use crate::object_key::ObjectKey;
use crate::range::Scan;
use crate::sqlite::{Database, Session};
use crate::write_batch::{TurnId, WriteBatch};

/// One memory, directory or server with the data of many objects.
pub trait Store: Send + Sync {
    /// The object of that name and id. It is the same one each time; its first write creates it.
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>>;

    /// The pending alarms of objects with one of these names: time in milliseconds and object, by time.
    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>>;

    /// The time of the first of [`Self::alarms`].
    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        Ok(self.alarms(names)?.first().map(|(at, _)| *at))
    }

    /// Those of [`Self::alarms`] that are due at `now_ms`.
    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        let mut alarms = self.alarms(names)?;
        alarms.retain(|(at, _)| *at <= now_ms);
        Ok(alarms)
    }

    /// Makes sure that [`Self::alarms`] knows the alarms of these names that other processes have set.
    fn refresh_alarms(&self, _names: &[Arc<str>]) -> Answer<()> {
        Answer::Now(Ok(()))
    }

    /// Ids of the objects of that name, in order. They include all objects that hold data or an alarm, and perhaps some
    /// that no longer do.
    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>>;

    /// Names of bindings that may have objects, in order.
    fn object_names(&self) -> Answer<Vec<Arc<str>>>;

    /// Records the name that an object's id was made of. The record lies beside the object's data and outlives it.
    /// Without a name the record is removed.
    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()>;

    /// The name that was recorded last. `None` if none was recorded, or if a power loss took the record.
    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>>;

    /// Sends what was asked in this turn of the event loop, if the store holds that back until the end of the turn.
    fn flush(&self) {}

    /// Ends the use of the store: later operations fail with [`crate::Error::Closed`].
    fn close(&self) -> Answer<()>;
}

/// Proof that an attempt runs. It is passed to [`ObjectStorage::commit`] or [`ObjectStorage::end`] exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Names the attempt.
    pub id: TransactionId,
    /// The newest commit that the attempt may see; 0 if the store decides that at the first read.
    pub sequence: Sequence,
}

/// Names a claim of an alarm, in this process.
pub type ClaimId = u64;

/// An alarm that its caller has to handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmClaim {
    /// Names the claim.
    pub id: ClaimId,
    /// For when the alarm was set, in milliseconds.
    pub at: i64,
}

/// How the handling of a claimed alarm ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmEnd {
    /// It was handled, or given up: the alarm is removed.
    Handled,
    /// The caller handles it again later. Until then the alarm is seen again, and no other caller claims it. Setting
    /// or removing it ends the claim.
    Postponed,
    /// The caller does not handle it: the next one that claims it does.
    Released,
}

/// The state that a read looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadView {
    /// The newest committed state. The id, if any, names the attempt whose closure issued the read, so that the read need
    /// not wait for that attempt's own turn.
    Latest(Option<TransactionId>),
    /// The state that an attempt started from. A read that would meet anything newer is a conflict.
    Since(Start),
}

/// What a read has found. `C` says what a conflict is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadResult<T, C = Conflict> {
    /// The state that was asked for.
    Value(T),
    /// Something that was asked for was written after the attempt had started: the attempt has lost.
    Conflict(C),
}

impl<T, C> ReadResult<T, C> {
    /// Transforms the value; a conflict stays as it is.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> ReadResult<U, C> {
        match self {
            Self::Value(value) => ReadResult::Value(change(value)),
            Self::Conflict(conflict) => ReadResult::Conflict(conflict),
        }
    }
}

/// Why an attempt has lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What another writer has changed after it was read: a key in quotes, `every key` or `the alarm`.
    pub what: String,
    /// Whether the attempt ran alone: then only its own closure can have written it.
    pub own: bool,
}

/// The writes of a plain write or a transaction, which are visible now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// How many of the removed keys existed before.
    pub removed: u32,
    /// When it is durable.
    pub ticket: Ticket,
}

/// How an attempt that asked to commit has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Nothing that was read has changed, and every write is visible.
    Committed(Committed),
    /// Something that was read has changed. Nothing was written.
    Lost(Conflict),
}

/// The storage of one Durable Object.
///
/// - **Atomic:** every reader sees a write batch as a whole or not at all. The batch survives a crash as a whole or not
///   at all.
/// - **Ordered:** calls of one caller take effect in the order of the calls, also if their answers come later.
/// - **Serializable:** an attempt commits only if nothing that it read (keys, ranges, alarm) was written since its start.
///   A plain write is a transaction with an empty read set.
/// - **Opaque:** a read of a running attempt never returns anything that was written after its start. The start is its
///   beginning or its first read.
/// - **Fair:** an attempt that begins with `turn` and finishes within the lease commits, whatever other callers do.
pub trait ObjectStorage: Send + Sync {
    /// The SQL of the object, if its store can have any.
    fn sql(&self) -> Option<&dyn SqlStorage> {
        None
    }

    /// Reads keys. The results are in the order of `keys`.
    fn read(&self, keys: Vec<Key>, view: ReadView) -> Answer<ReadResult<Vec<Option<Value>>>>;

    /// Lists a range, in O(log n + returned).
    fn list(&self, scan: Scan, view: ReadView) -> Answer<ReadResult<Vec<Entry>>>;

    /// Reads the alarm, in milliseconds.
    fn alarm(&self, view: ReadView) -> Answer<ReadResult<Option<i64>>>;

    /// Writes at once, outside transactions. `issued_by` is the attempt whose closure issued the write.
    fn write(&self, writes: WriteBatch, issued_by: Option<TransactionId>) -> Answer<Committed>;

    /// Takes back the plain writes that belong to a turn of the event loop ([`WriteBatch::belongs_to`]), which has not
    /// ended. Every value, and the alarm, is as it was before the first of them.
    fn undo(&self, turn: TurnId) -> Answer<()>;

    /// That turn has ended: its writes stay.
    fn end_turn(&self, turn: TurnId);

    /// Makes [`Self::take_alarm`] answer at once for a while, if the object has to be opened first.
    fn prepare_alarm(&self) -> Answer<()> {
        Answer::Now(Ok(()))
    }

    /// Removes the alarm if it is set for `due_ms` or earlier. Returns whether it did.
    fn take_alarm(&self, due_ms: i64) -> Answer<bool>;

    /// The alarm that was taken has been handled. If this is never called, a store that other processes use gives the
    /// alarm to one of them.
    fn alarm_done(&self) -> Answer<()> {
        Answer::Now(Ok(()))
    }

    /// Claims the alarm if it is set for `due_ms` or earlier. It stays stored until [`Self::finish_alarm`], so that it is
    /// claimed again if this process ends before. Meanwhile no caller sees it, and no other caller claims an alarm of
    /// the object. With `again`, a claim that was [`AlarmEnd::Postponed`] goes on, whatever the time.
    fn claim_alarm(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>>;

    /// Ends a claim, or postpones it; says whether the claimed alarm was still set. If the alarm was set or removed
    /// since it was claimed, it stays as it is, and the claim ends whatever `end` says.
    fn finish_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool>;

    /// Starts an attempt. With `turn` it waits until it may run alone. If the closure of an attempt that runs alone issued
    /// this one (`issued_by`), this one shares that turn.
    fn begin(&self, turn: bool, issued_by: Option<TransactionId>) -> Answer<Start>;

    /// Validates what an attempt has read, and writes what it has written.
    fn commit(&self, start: Start, read_set: ReadSet, writes: WriteBatch) -> Answer<CommitOutcome>;

    /// Forgets an attempt that does not commit.
    fn end(&self, start: Start);

    /// The ticket of the newest write that a read may have seen; 0 if that write is durable.
    fn pending_ticket(&self) -> Ticket;

    /// Waits until a write is durable. That happens only after its batch was sealed.
    fn durable(&self, ticket: Ticket) -> Answer<()>;

    /// Ends the atomic batch of the writes of this turn of the event loop.
    fn seal(&self);
}

/// What an instance goes on with when its database is open again.
#[derive(Debug)]
pub struct Rested {
    /// What SQL has seen last.
    pub session: Session,
    /// How often the object had come from another process.
    pub arrivals: u64,
}

/// The SQL of one object.
pub trait SqlStorage: Send + Sync {
    /// Makes the object SQLite-backed, with the keys and the alarm that it holds, and keeps its database open until
    /// [`Self::close_sql`].
    fn open_sql(&self) -> Answer<()>;

    /// The class of the object is not SQLite-backed: from now on a SQLite database is an error.
    fn expect_keys(&self) -> Result<()>;

    /// No longer keeps the database open. The last caller ends all cursors.
    fn close_sql(&self);

    /// Stops keeping the database open if this caller is the only one that does, and nothing of it is open. Returns what SQL
    /// has seen last, for [`Self::resume_sql`].
    fn rest_sql(&self) -> Option<Rested>;

    /// The database is open again: SQL sees what it has seen last. Says whether no other process has had the object since.
    fn resume_sql(&self, rested: &Rested) -> Result<bool>;

    /// Works with the open database. Returns the ticket of what is written and not committed; 0 if nothing is.
    fn with_sql(&self, work: &mut dyn FnMut(&mut Database) -> Result<()>) -> Result<Ticket>;

    /// Deletes everything but the alarm, and with `alarm` that too. Returns the ticket of that.
    fn reset_sql(&self, alarm: bool) -> Result<Ticket>;

    /// The bytes of the database as it is now; nothing if the object is not SQLite-backed.
    fn sql_image(&self) -> Answer<Option<Vec<u8>>>;

    /// Whether the object is SQLite-backed.
    fn is_sqlite(&self) -> Answer<bool>;

    /// Whether another process waits for the object.
    fn is_wanted(&self) -> bool;
}
