//! An ordered map whose calls fail or panic on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ferroflare_core::alarm_index::AlarmIndex;
use ferroflare_core::backend::Ticket;
use ferroflare_core::backend::local::{LocalObject, Table};
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::Scan;
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Error, Result};

use crate::support::{Caller, object_key};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// With an error, before it has done anything.
    Early,
    /// With an error, when it has done half of its work and has taken it back.
    Midway,
    /// With a panic, when it has done half of its work.
    Panic,
}

/// Calls of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Get,
    Scan,
    Alarm,
    Apply,
}

/// What will go wrong; shared with the table.
#[derive(Default)]
pub(crate) struct Faults {
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    /// Which call, how many of them go well before, and how it goes wrong then. `None`: any call.
    next: Option<(Option<Call>, u32, Fault)>,
}

impl Faults {
    /// The next `call` goes wrong.
    pub(crate) fn inject(&self, call: Call, fault: Fault) {
        self.plan.lock().unwrap().next = Some((Some(call), 0, fault));
    }

    /// `good` calls of any kind go well, the one after them goes wrong, and then all go well again.
    pub(crate) fn inject_after(&self, good: u32, fault: Fault) {
        self.plan.lock().unwrap().next = Some((None, good, fault));
    }

    /// Whether a fault is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.plan.lock().unwrap().next.is_some()
    }

    fn strike(&self, call: Call) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let (which, good, fault) = plan.next.as_mut()?;
        if which.is_some_and(|which| which != call) {
            return None;
        }
        if *good > 0 {
            *good -= 1;
            return None;
        }
        let fault = *fault;
        plan.next = None;
        Some(fault)
    }
}

/// The error of every injected fault.
pub(crate) fn injected() -> Error {
    Error::Internal("injected".into())
}

#[derive(Clone)]
pub(crate) struct FaultyTable {
    entries: BTreeMap<Key, Value>,
    alarm: Option<i64>,
    faults: Arc<Faults>,
}

/// A new object over a faulty table, with its alarm index and its faults.
pub(crate) fn faulty_object() -> (Caller, Arc<AlarmIndex>, Arc<Faults>) {
    let (alarms, faults) = (Arc::<AlarmIndex>::default(), Arc::<Faults>::default());
    let table = FaultyTable::new(faults.clone());
    (
        Caller::without_place(LocalObject::new(table, object_key("one"), alarms.clone())),
        alarms,
        faults,
    )
}

impl FaultyTable {
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        Self { entries: BTreeMap::new(), alarm: None, faults }
    }

    fn strike(&self, call: Call) -> Result<()> {
        match self.faults.strike(call) {
            None => Ok(()),
            Some(Fault::Early | Fault::Midway) => Err(injected()),
            Some(Fault::Panic) => panic!("injected into {call:?}"),
        }
    }

    fn apply_some(&mut self, writes: WriteBatch, entries_max: usize) {
        let (clear, entries, alarm) = writes.into_parts();
        if clear {
            self.entries.clear();
        }
        for (key, value) in entries.into_iter().take(entries_max) {
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
        if let Some(alarm) = alarm {
            self.alarm = alarm;
        }
    }
}

impl Table for FaultyTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.strike(Call::Get)?;
        Ok(self.entries.get(key).cloned())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        self.strike(Call::Scan)?;
        let inside = self.entries.iter().filter(|(key, _)| scan.range.contains(key));
        let mut entries: Vec<Entry> =
            inside.map(|(key, value)| (key.clone(), value.clone())).collect();
        if scan.reverse {
            entries.reverse();
        }
        entries.truncate(scan.limit.unwrap_or(usize::MAX));
        Ok(entries)
    }

    fn alarm(&self) -> Result<Option<i64>> {
        self.strike(Call::Alarm)?;
        Ok(self.alarm)
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        let half = writes.entries().len() / 2;
        match self.faults.strike(Call::Apply) {
            None => self.apply_some(writes, usize::MAX),
            Some(Fault::Early) => return Err(injected()),
            Some(Fault::Midway) => {
                let before = self.clone();
                self.apply_some(writes, half);
                *self = before;
                return Err(injected());
            }
            Some(Fault::Panic) => {
                self.apply_some(writes, half);
                panic!("injected into Apply");
            }
        }
        Ok(0)
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.entries.is_empty() && self.alarm.is_none())
    }
}
