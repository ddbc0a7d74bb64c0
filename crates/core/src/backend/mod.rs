//! Where data lives: the contract that every backend keeps.
//!
//! A [`Place`] is one memory, one directory or one server. It gives out an [`Object`] for each Durable
//! Object, and knows which alarms are pending without touching the objects.
//!
//! Backends whose data is in this process implement the small [`Table`] and get the whole contract from
//! [`local::LocalObject`]; a backend whose data is elsewhere implements [`Object`] itself.

pub mod files;
pub mod local;
pub mod memory;
pub mod noted;
pub mod overlay;
pub mod redis;

use std::sync::Arc;

use crate::answer::Answer;
use crate::concurrency::{Footprint, Sequence, TransactionId};
pub use crate::durability::Ticket;
use crate::error::Result;
use crate::key::{Entry, Key, Value};
pub use crate::object_key::ObjectKey;
use crate::range::Scan;
use crate::write_batch::{TurnId, WriteBatch};

/// One memory, directory or server with the data of many objects.
pub trait Place: Send + Sync {
    /// The object of that name and id: the same one each time, created when it is first written.
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn Object>>;

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

    /// Makes sure that [`Self::alarms`] knows the alarms of these names that others have set.
    fn refresh_alarms(&self, _names: &[Arc<str>]) -> Answer<()> {
        Answer::Now(Ok(()))
    }

    /// Ids of the objects of that name, in order: all that hold data or an alarm, and perhaps some that
    /// have held any.
    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>>;

    /// Names under which there may be objects, in order.
    fn object_names(&self) -> Answer<Vec<Arc<str>>>;

    /// Notes the name that an object's id was made of, beside the object: for good, whatever becomes of its
    /// data. Without a name the note is removed.
    fn note_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()>;

    /// The name that was noted last; none if none ever was, or if a power loss took the note.
    fn noted_name(&self, key: &ObjectKey) -> Answer<Option<Value>>;

    /// Sends what was asked in this turn of the event loop, where that waits for its end.
    fn flush(&self) {}

    /// Ends the use of the place: later operations fail with [`crate::Error::Closed`].
    fn close(&self) -> Answer<()>;
}

/// Proof that an attempt runs; given to [`Object::commit`] or [`Object::end`] exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Names the attempt.
    pub id: TransactionId,
    /// The newest commit that the attempt may see; 0 where the place decides that at the first read.
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

/// What a read looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The newest state; the attempt, if any, out of whose closure the read comes.
    Latest(Option<TransactionId>),
    /// The state that an attempt started from. A read that would meet anything newer is stale.
    Since(Start),
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshot<T> {
    /// The state that the view asked for.
    Fresh(T),
    /// What was asked for has been written since the attempt started: the attempt has lost.
    Stale(Conflict),
}

/// Why an attempt has lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What was read and then written by somebody else: a key in quotes, `every key` or `the alarm`.
    pub what: String,
    /// Whether the attempt ran alone, so that only its own closure can have written it.
    pub own: bool,
}

/// A plain write, or a transaction's, that is visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// How many of the keys which the write removes existed before.
    pub removed: u32,
    /// When it is durable.
    pub ticket: Ticket,
}

/// End of an attempt that asked to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every read still held, and every write is visible.
    Committed(Committed),
    /// Something that was read has changed; nothing was written.
    Lost(Conflict),
}

/// The storage of one Durable Object.
///
/// - **Atomic:** a write batch is visible as a whole or not at all, to every reader, and survives a
///   crash as a whole or not at all.
/// - **Ordered:** calls of one caller take effect in the order of the calls, also when their answers
///   come later.
/// - **Serializable:** an attempt commits only if nothing that it read (keys, ranges, alarm) was
///   written since its start; a plain write is a transaction with an empty footprint.
/// - **Opaque:** a read of a running attempt never returns anything written after its start, which is
///   its beginning or its first read.
/// - **Fair:** an attempt that begins with `turn` and finishes within the lease commits, whatever the
///   others do.
pub trait Object: Send + Sync {
    /// Reads keys, one result a key in the order of `keys`.
    fn read(&self, keys: Vec<Key>, view: View) -> Answer<Snapshot<Vec<Option<Value>>>>;

    /// Walks over a range, in O(log n + returned).
    fn list(&self, scan: Scan, view: View) -> Answer<Snapshot<Vec<Entry>>>;

    /// Reads the alarm, in milliseconds.
    fn alarm(&self, view: View) -> Answer<Snapshot<Option<i64>>>;

    /// Writes at once, outside of any transaction; `origin` is the attempt out of whose closure it comes.
    fn write(&self, writes: WriteBatch, origin: Option<TransactionId>) -> Answer<Committed>;

    /// Takes back the plain writes that belong to a turn of the event loop ([`WriteBatch::belongs_to`]), which has not
    /// ended. Every value, and the alarm, is as it was before the first of them.
    fn undo(&self, turn: TurnId) -> Answer<()>;

    /// That turn has ended: its writes stay.
    fn end_turn(&self, turn: TurnId);

    /// Makes [`Self::take_alarm`] answer at once for a while, where the object has to be opened before.
    fn prepare_alarm(&self) -> Answer<()> {
        Answer::Now(Ok(()))
    }

    /// Removes the alarm if it is set for `due_ms` or earlier; says whether it did.
    fn take_alarm(&self, due_ms: i64) -> Answer<bool>;

    /// The alarm that was taken has been handled. A place that others use hands it to one of them if this
    /// never comes.
    fn alarm_done(&self) -> Answer<()> {
        Answer::Now(Ok(()))
    }

    /// Claims the alarm if it is set for `due_ms` or earlier. It stays stored until [`Self::finish_alarm`], so that it is
    /// claimed again if this process ends before. Meanwhile no caller sees it, and no other caller claims an alarm of
    /// the object. With `again`, a claim that was [`AlarmEnd::Postponed`] goes on, whatever the time.
    fn claim_alarm(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>>;

    /// Ends a claim, or postpones it; says whether the claimed alarm was still set. One that was set or removed since
    /// it was claimed stays as it is, and ends the claim in any case.
    fn finish_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool>;

    /// Starts an attempt; with `turn` it waits until it may run alone. An attempt that comes out of the
    /// closure of one that runs alone (`origin`) runs inside that one's turn.
    fn begin(&self, turn: bool, origin: Option<TransactionId>) -> Answer<Start>;

    /// Validates an attempt and writes its writes.
    fn commit(&self, start: Start, footprint: Footprint, writes: WriteBatch) -> Answer<Outcome>;

    /// Forgets an attempt that does not commit.
    fn end(&self, start: Start);

    /// Ticket of the newest write that a read may have seen and that is not durable; 0 if there is none.
    fn unsettled(&self) -> Ticket;

    /// Waits until a write is durable. The batch it belongs to must be sealed for that to happen.
    fn durable(&self, ticket: Ticket) -> Answer<()>;

    /// Ends the atomic batch that gathers the writes of one turn of the event loop.
    fn seal(&self);
}

/// The ordered bytes of one object in this process, without any concurrency: [`local::LocalObject`]
/// calls it under its lock.
pub trait Table: Send + 'static {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Value>>;

    /// The entries of a walk, in its order.
    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>>;

    /// The alarm, in milliseconds.
    fn alarm(&self) -> Result<Option<i64>>;

    /// Applies a batch, visible at once; on an error nothing of it is visible.
    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket>;

    /// Whether there is neither a key nor an alarm.
    fn is_empty(&self) -> Result<bool>;

    /// Whether a batch has been applied that is not sealed.
    fn is_dirty(&self) -> bool {
        false
    }

    /// Whether [`Self::apply`] may be called; if not, [`Source::widen`] makes a table that takes writes.
    fn takes_writes(&self) -> bool {
        true
    }

    /// Whether a read has failed in a way that opening the table anew may mend.
    fn is_broken(&self) -> bool {
        false
    }

    /// Ends the batch that gathers: what was applied since the last call is kept as a whole or not at
    /// all, and is on its way to be durable. After an error the table is of no more use.
    fn seal(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a table is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read; it need not take writes.
    Read,
    /// To be written to as well.
    Write,
}

/// Where the tables of one object come from.
pub trait Source<T>: Send + Sync {
    /// Whether the object certainly does not exist. Cheap: asked at each read of a closed object.
    fn is_absent(&self) -> bool;

    /// Opens the table in the background, creating it if need be, and hands it to
    /// [`local::LocalObject::opened`].
    fn open(self: Arc<Self>, access: Access, object: Arc<local::LocalObject<T>>);

    /// Makes of a table that takes no writes one that does, in the background, and hands it over likewise.
    /// Nobody else gets the object in between. Called with the object locked.
    fn widen(self: Arc<Self>, table: T, object: Arc<local::LocalObject<T>>);

    /// Takes back a table that somebody else waits for, and closes it in the background. Called with the
    /// object locked.
    fn released(self: Arc<Self>, table: T);

    /// Claims the alarm that is set for `at` before other processes; none if another one has claimed it.
    fn claim(&self, _at: i64) -> Result<Option<Box<dyn ClaimSign>>> {
        Ok(Some(Box::new(())))
    }

    /// The claim that another process has. Cheap: asked at each read of an alarm that is set.
    fn claimed(&self) -> Result<Option<ForeignClaim>> {
        Ok(None)
    }

    /// A table that could not be released because it was in use is not in use any more. Called with the object locked.
    fn idle(&self, _object: &Arc<local::LocalObject<T>>) {}
}

/// Tells other processes of a claim, until it is dropped.
pub trait ClaimSign: Send {
    /// Notes whether the alarm is being handled now, or waits to be handled again.
    fn note(&mut self, at: i64, runs: bool) -> Result<()>;
}

/// Where no other process can have the object.
impl ClaimSign for () {
    fn note(&mut self, _at: i64, _runs: bool) -> Result<()> {
        Ok(())
    }
}

/// A claim of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignClaim {
    /// For when the alarm is set, in milliseconds, as far as is known.
    pub at: Option<i64>,
    /// Whether it is being handled; if not, it waits to be handled again.
    pub runs: bool,
}
