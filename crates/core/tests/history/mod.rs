//! Histories of concurrent transactions, and whether they are strictly serializable.
//!
//! After Elle (Kingsbury and Alvaro, 2020): what transactions have read says in which order they must have run. A cycle
//! in that order is an anomaly. Two kinds of objects are understood. To lists, transactions append elements that are
//! all different; a list that is read shows the order of its appends. To registers, they write values that are all
//! different.
//!
//! An attempt that has lost is a transaction of its own, which has written nothing. What it has read counts like any
//! other read, because a running attempt must not see a mixture either.
//!
//! Nothing here knows where a history comes from: transactions of several processes can be put
//! together, if their times come from one clock.

mod anomaly;
mod check;
mod graph;
mod lists;
mod record;
mod registers;
mod tests;

pub(crate) use anomaly::{Anomaly, Kind};
pub(crate) use check::check;
pub(crate) use record::Recorder;

/// Names a list or a register.
pub(crate) type Object = u32;

/// One thing that a transaction has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Appends an element that no other process appends anywhere.
    Append(Object, u64),
    /// Has read a whole list.
    List(Object, Vec<u64>),
    /// Stores a value that no other process stores anywhere.
    Write(Object, u64),
    /// Has read a register; `None` before the first write.
    Read(Object, Option<u64>),
}

/// How a transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its writes are there.
    Committed,
    /// Nothing of it is there: it has lost, or was rolled back.
    Aborted,
    /// Unknown: its process has died. Its writes count if a reader has seen them.
    Unknown,
}

/// One transaction, or one attempt of it.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) ops: Vec<Op>,
    /// When it was asked for, by a clock that all transactions of the history share.
    pub(crate) invoked: u64,
    /// When its answer was there.
    pub(crate) responded: u64,
    pub(crate) end: End,
}
