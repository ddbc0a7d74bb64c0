//! Random programs: plain operations and up to three attempts at a time, over few keys.

use std::ops::Range;

use ferroflare_core::key::{Key, Value};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::write_batch::{AlarmWrite, WriteBatch};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;

/// Attempts that run at the same time.
pub(crate) const SLOTS: usize = 3;

const KEYS: [&[u8]; 8] = [b"", b"a", b"a\0", b"ab", b"b", b"ba", b"c", &[255]];
const STEPS: Range<usize> = 1..60;

/// A key by its number.
pub(crate) type Name = prop::sample::Index;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Plain operations; `from` is the slot of the attempt out of whose closure they come.
    Write {
        writes: Writes,
        from: Option<usize>,
    },
    Read {
        keys: Vec<Name>,
        from: Option<usize>,
    },
    List {
        walk: Walk,
        from: Option<usize>,
    },
    Alarm {
        from: Option<usize>,
    },
    TakeAlarm {
        due: i64,
    },
    /// Writes something that shows whether it is forgotten in time.
    Probe,
    Begin {
        slot: usize,
        turn: bool,
        from: Option<usize>,
    },
    /// An operation of the attempt in a slot.
    In {
        slot: usize,
        act: Act,
    },
    Commit {
        slot: usize,
        discard: bool,
    },
    /// Drops the attempt, or the wait for it.
    Drop {
        slot: usize,
    },
    /// Ends a turn of the event loop.
    Seal,
}

/// What an attempt does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Read(Vec<Name>),
    List(Walk),
    Alarm,
    Put(Vec<Name>),
    Delete(Vec<Name>),
    SetAlarm(AlarmWrite),
}

#[derive(Clone, Debug)]
pub(crate) struct Writes {
    clear: bool,
    entries: Vec<(Name, bool)>,
    alarm: Option<AlarmWrite>,
}

#[derive(Clone, Debug)]
pub(crate) struct Walk {
    start: Option<Name>,
    start_after: Option<Name>,
    end: Option<Name>,
    prefix: Option<Name>,
    reverse: bool,
    limit: Option<usize>,
}

pub(crate) fn key(name: Name) -> Key {
    Key::from(*name.get(&KEYS))
}

pub(crate) fn keys(names: &[Name]) -> Vec<Key> {
    names.iter().copied().map(key).collect()
}

impl Writes {
    /// The batch; `value` is what it stores.
    pub(crate) fn batch(&self, value: &Value) -> WriteBatch {
        let mut batch = WriteBatch::default();
        if self.clear {
            batch.clear();
        }
        for (name, stores) in &self.entries {
            if *stores {
                batch.put(key(*name), value.clone());
            } else {
                batch.delete(key(*name));
            }
        }
        if let Some(alarm) = self.alarm {
            batch.set_alarm(alarm);
        }
        batch
    }
}

impl Walk {
    pub(crate) fn scan(&self) -> Scan {
        fn bytes(name: Option<Name>) -> Option<&'static [u8]> {
            name.map(|name| *name.get(&KEYS))
        }
        Scan::new(&ListOptions {
            start: bytes(self.start),
            start_after: bytes(self.start_after),
            end: bytes(self.end),
            prefix: bytes(self.prefix),
            reverse: self.reverse,
            limit: self.limit,
        })
    }
}

/// A walk over every key.
pub(crate) fn everything() -> Walk {
    Walk { start: None, start_after: None, end: None, prefix: None, reverse: false, limit: None }
}

pub(crate) fn programs() -> impl Strategy<Value = Vec<Step>> {
    vec(steps(), STEPS)
}

fn steps() -> impl Strategy<Value = Step> {
    let slot = || 0..SLOTS;
    let from = || weighted(0.2, slot());
    let keys = || vec(any::<Name>(), 1..4);
    prop_oneof![
        12 => (writes(), from()).prop_map(|(writes, from)| Step::Write { writes, from }),
        4 => (keys(), from()).prop_map(|(keys, from)| Step::Read { keys, from }),
        4 => (walks(), from()).prop_map(|(walk, from)| Step::List { walk, from }),
        2 => from().prop_map(|from| Step::Alarm { from }),
        2 => alarms().prop_map(|due| Step::TakeAlarm { due }),
        3 => Just(Step::Probe),
        16 => (slot(), any::<bool>(), from())
            .prop_map(|(slot, turn, from)| Step::Begin { slot, turn, from }),
        50 => (slot(), acts()).prop_map(|(slot, act)| Step::In { slot, act }),
        12 => (slot(), weighted_bool(0.2))
            .prop_map(|(slot, discard)| Step::Commit { slot, discard }),
        4 => slot().prop_map(|slot| Step::Drop { slot }),
        10 => Just(Step::Seal),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let keys = || vec(any::<Name>(), 1..4);
    prop_oneof![
        12 => keys().prop_map(Act::Read),
        12 => walks().prop_map(Act::List),
        4 => Just(Act::Alarm),
        10 => keys().prop_map(Act::Put),
        8 => keys().prop_map(Act::Delete),
        3 => of(alarms()).prop_map(Act::SetAlarm),
    ]
}

fn writes() -> impl Strategy<Value = Writes> {
    let entries = vec((any::<Name>(), weighted_bool(0.7)), 0..3);
    (weighted_bool(0.08), entries, weighted(0.1, of(alarms())))
        .prop_map(|(clear, entries, alarm)| Writes { clear, entries, alarm })
}

fn walks() -> impl Strategy<Value = Walk> {
    let bound = || weighted(0.25, any::<Name>());
    (bound(), bound(), bound(), bound(), any::<bool>(), of(0_usize..4)).prop_map(
        |(start, start_after, end, prefix, reverse, limit)| Walk {
            start,
            start_after,
            end,
            prefix,
            reverse,
            limit,
        },
    )
}

fn alarms() -> impl Strategy<Value = i64> {
    1_i64..5
}

fn weighted_bool(probability: f64) -> impl Strategy<Value = bool> {
    prop::bool::weighted(probability)
}
