//! What is wrong with a history.

use std::fmt;

/// Anomalies by the names of Adya (1999) and Elle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A transaction does not see its own writes, or sees something else instead.
    Internal,
    /// A value that no transaction has written.
    Garbage,
    /// An element is in a list twice.
    Duplicate,
    /// Reads of one list of which neither is the beginning of the other.
    IncompatibleOrder,
    /// G1a: a value of a transaction that was aborted.
    AbortedRead,
    /// G1b: a value that its own transaction has overwritten.
    IntermediateRead,
    /// G0: writes overwrite each other in a circle.
    DirtyWrite,
    /// G1c: transactions see each other in a circle.
    CircularInformation,
    /// G-single: a transaction sees something, and misses something else that was there before it.
    ReadSkew,
    /// G2: several transactions miss each other's writes.
    WriteSkew,
}

/// Something that must not be in a history.
#[derive(Clone, Debug)]
pub(crate) struct Anomaly {
    pub(crate) kind: Kind,
    /// Whether it is one only because of the order in real time.
    pub(crate) real_time: bool,
    /// The reads that prove it, or the cycle.
    pub(crate) proof: String,
}

impl Anomaly {
    pub(crate) fn new(kind: Kind, proof: String) -> Self {
        Self { kind, real_time: false, proof }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.real_time { " in real time" } else { "" };
        write!(out, "{:?}{suffix}: {}", self.kind, self.proof)
    }
}
