//! What becomes of a lock file when its holder releases the object: a state machine.
//!
//! ```text
//! Unchanged ── begin_to_write ──> Writing
//! Unchanged, Writing ── mark_closed ──> Closed
//! all but Removed ── mark_dirty ──> Dirty
//! all ── mark_removed ──> Removed
//! ```
//! All other calls change nothing. Only a removal follows `Dirty`: a sync that succeeds later does not make durable what
//! the failed one has lost.

use super::record::Record;

/// What becomes of the lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The holder has only read: the file gets back what the last holder has left.
    #[default]
    Unchanged,
    /// The holder has opened the database to write: the file stays as it is, and the next holder finds it dirty.
    Writing,
    /// Something has failed: the file stays as it is, and the next holder finds it dirty.
    Dirty,
    /// The holder has closed the database: the file gets this record.
    Closed(Record),
    /// The object does not exist any more: the file is removed.
    Removed,
}

impl Release {
    /// The holder opens the database to write: what it has found in the file does not hold any more.
    pub fn begin_to_write(&mut self) {
        if *self == Self::Unchanged {
            *self = Self::Writing;
        }
    }

    /// The holder has closed the database, and leaves this record for the next holder.
    pub fn mark_closed(&mut self, record: Record) {
        if matches!(self, Self::Unchanged | Self::Writing) {
            *self = Self::Closed(record);
        }
    }

    /// Something has failed, so that a write may not be durable.
    pub fn mark_dirty(&mut self) {
        if *self != Self::Removed {
            *self = Self::Dirty;
        }
    }

    /// The object does not exist any more.
    pub fn mark_removed(&mut self) {
        *self = Self::Removed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: [fn(&mut Release); 4] = [
        Release::begin_to_write,
        |release| release.mark_closed(Record::default()),
        Release::mark_dirty,
        Release::mark_removed,
    ];

    /// Where each of [`CALLS`] leads from a state.
    fn targets(from: &Release) -> [Release; 4] {
        CALLS.map(|call| {
            let mut release = from.clone();
            call(&mut release);
            release
        })
    }

    #[test]
    fn each_call_leads_where_the_drawing_says() {
        use Release::{Dirty, Removed, Unchanged, Writing};
        let closed = || Release::Closed(Record::default());
        assert_eq!(targets(&Unchanged), [Writing, closed(), Dirty, Removed]);
        assert_eq!(targets(&Writing), [Writing, closed(), Dirty, Removed]);
        assert_eq!(targets(&closed()), [closed(), closed(), Dirty, Removed]);
        assert_eq!(targets(&Dirty), [Dirty, Dirty, Dirty, Removed]);
        assert_eq!(targets(&Removed), [const { Removed }; 4]);
    }
}
