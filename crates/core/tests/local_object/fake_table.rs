//! A table and its opener that fail on command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ferroflare_core::backend::Ticket;
use ferroflare_core::backend::local::{Access, LocalObject, Table, TableOpener};
use ferroflare_core::durability::Durability;
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::Scan;
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Error, Result};

/// What is stored, and what shall go wrong.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) entries: BTreeMap<Key, Value>,
    pub(crate) alarm: Option<i64>,
    pub(crate) exists: bool,
    /// Openings that wait for [`Fixture::finish_opening`].
    pub(crate) openings: Vec<(Access, Arc<LocalObject<FakeTable>>)>,
    pub(crate) failing_openings: u32,
    pub(crate) failing_seals: u32,
    pub(crate) failing_applies: u32,
    /// Tables that were given back.
    pub(crate) handed_over: u32,
    /// Tables that took no writes and were given away to be opened again.
    pub(crate) upgraded: u32,
}

pub(crate) type Shared = Arc<Mutex<Disk>>;

pub(crate) struct FakeTable {
    disk: Shared,
    durability: Arc<Durability>,
    access: Access,
    gathering: WriteBatch,
    ticket: Ticket,
}

pub(crate) fn broken(action: &'static str) -> Error {
    Error::Io { action, path: "disk".into(), reason: "broken on command".into() }
}

impl FakeTable {
    pub(crate) fn new(disk: Shared, access: Access, durability: Arc<Durability>) -> Self {
        disk.lock().unwrap().exists = true;
        let ticket = durability.next_ticket();
        Self { disk, durability, access, gathering: WriteBatch::default(), ticket }
    }

    fn entries(&self) -> BTreeMap<Key, Value> {
        let mut entries = self.disk.lock().unwrap().entries.clone();
        if self.gathering.clears() {
            entries.clear();
        }
        for (key, value) in self.gathering.entries() {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        entries
    }
}

/// Whether a thing shall fail this time.
pub(crate) fn fails(times: &mut u32) -> bool {
    let now = *times > 0;
    *times = times.saturating_sub(1);
    now
}

impl Table for FakeTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.entries().get(key).cloned())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        let within = |entry: &Entry| scan.range.start[..] <= entry.0[..];
        Ok(self.entries().into_iter().filter(within).collect())
    }

    fn alarm(&self) -> Result<Option<i64>> {
        let stored = self.disk.lock().unwrap().alarm;
        Ok(self.gathering.alarm().unwrap_or(stored))
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        assert_eq!(self.access, Access::Write, "written to a table that takes no writes");
        if fails(&mut self.disk.lock().unwrap().failing_applies) {
            return Err(broken("apply"));
        }
        self.gathering.append(writes);
        Ok(self.ticket)
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.entries().is_empty() && self.alarm()?.is_none())
    }

    fn takes_writes(&self) -> bool {
        self.access == Access::Write
    }

    fn is_dirty(&self) -> bool {
        !self.gathering.is_empty()
    }

    fn seal(&mut self) -> Result<()> {
        if self.gathering.is_empty() {
            return Ok(());
        }
        let (ticket, entries, alarm) = (self.ticket, self.entries(), self.alarm()?);
        self.ticket += 1;
        self.gathering = WriteBatch::default();
        let mut disk = self.disk.lock().unwrap();
        if fails(&mut disk.failing_seals) {
            self.durability.fail(ticket, &broken("seal"));
            return Err(broken("seal"));
        }
        disk.entries = entries;
        disk.alarm = alarm;
        self.durability.confirm(ticket);
        Ok(())
    }
}

pub(crate) struct FakeOpener {
    pub(crate) disk: Shared,
}

impl TableOpener<FakeTable> for FakeOpener {
    fn is_absent(&self) -> bool {
        !self.disk.lock().unwrap().exists
    }

    fn open(self: Arc<Self>, access: Access, object: Arc<LocalObject<FakeTable>>) {
        self.disk.lock().unwrap().openings.push((access, object));
    }

    fn upgrade(self: Arc<Self>, table: FakeTable, object: Arc<LocalObject<FakeTable>>) {
        assert!(!table.takes_writes(), "a table that takes writes is opened again");
        let mut disk = self.disk.lock().unwrap();
        disk.upgraded += 1;
        disk.openings.push((Access::Write, object));
    }

    fn closed(self: Arc<Self>, table: FakeTable) {
        assert!(!table.is_dirty(), "an unsealed batch is given away");
        self.disk.lock().unwrap().handed_over += 1;
    }
}
