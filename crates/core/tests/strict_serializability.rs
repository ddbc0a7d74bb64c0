//! Many threads on one object, which two users of its place have between them: their history is strictly
//! serializable, attempts that lose included.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferroflare_core::backend::{CommitOutcome, ReadResult, ReadView};
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::{Attempt, Transaction};
use ferroflare_core::write_batch::WriteBatch;

use crate::history::{End, Object, Op, Recorder, check};
use crate::places::{TestPlace, on_every_place};
use crate::seed::{Random, seed};
use crate::support::{Caller, fresh};

on_every_place!(the_history_of_many_threads_is_strictly_serializable);

const THREADS: u64 = 4;
const ROUNDS: u64 = 300;
const HISTORIES: u32 = 6;
/// Lists kept as one value each; read and written back.
const PACKED_LISTS: std::ops::Range<Object> = 0..2;
/// Lists kept as one key an element; walked over.
const SPREAD_LISTS: std::ops::Range<Object> = 2..4;
const REGISTERS: std::ops::Range<Object> = 4..7;

async fn the_history_of_many_threads_is_strictly_serializable(place: &dyn TestPlace) {
    let seed = seed();
    for number in 0..u64::from(place.share_of(HISTORIES)) {
        let sides = place.open_twice().await;
        let recorder = Arc::new(Recorder::default());
        let next_value = Arc::new(AtomicU64::new(1));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let worker = Worker {
                    caller: Caller::new(&sides[usize::from(thread % 2 == 1)]),
                    recorder: recorder.clone(),
                    next_value: next_value.clone(),
                    random: Random::new(seed ^ (number * THREADS + thread)),
                };
                std::thread::spawn(move || worker.work())
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        if let Err(anomaly) = check(&recorder.finish()) {
            panic!("history {number}, FERROFLARE_SEED={seed}: {anomaly}");
        }
    }
}

struct Worker {
    caller: Caller,
    recorder: Arc<Recorder>,
    next_value: Arc<AtomicU64>,
    random: Random,
}

#[derive(Clone, Copy)]
enum Plan {
    Append(Object),
    List(Object),
    Write(Object),
    Read(Object),
}

impl Worker {
    fn work(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for _ in 0..ROUNDS {
                match self.random.below(10) {
                    0 => self.plain_write().await,
                    1 => self.plain_read().await,
                    2 => self.plain_list().await,
                    _ => self.transaction().await,
                }
                // The end of a turn of the event loop: now the object may go to the other side.
                self.caller.0.seal();
            }
        });
    }

    async fn transaction(&mut self) {
        let plan: Vec<Plan> = (0..=self.random.below(4)).map(|_| self.plan()).collect();
        let rolls_back = self.random.below(10) == 0;
        let transaction = Transaction::new(self.caller.0.clone());
        loop {
            let invoked = self.recorder.invoke();
            transaction.begin(None).wait().await.unwrap();
            let attempt = transaction.attempt().unwrap();
            let mut ops = Vec::new();
            let mut lost = false;
            for step in &plan {
                if self.random.below(3) == 0 {
                    std::thread::yield_now();
                }
                let Some(op) = self.perform(&attempt, *step).await else {
                    lost = true;
                    break;
                };
                ops.push(op);
            }
            drop(attempt);
            if lost || rolls_back {
                transaction.rollback();
                self.recorder.respond(invoked, ops, End::Aborted);
                if lost {
                    continue;
                }
                return;
            }
            if let CommitOutcome::Committed(..) = transaction.commit(false).wait().await.unwrap() {
                self.recorder.respond(invoked, ops, End::Committed);
                return;
            }
            self.recorder.respond(invoked, ops, End::Aborted);
        }
    }

    fn plan(&mut self) -> Plan {
        let lists = u64::from(SPREAD_LISTS.end);
        let list = Object::try_from(self.random.below(lists)).unwrap();
        let register = self.register();
        match self.random.below(4) {
            0 => Plan::Append(list),
            1 => Plan::List(list),
            2 => Plan::Write(register),
            _ => Plan::Read(register),
        }
    }

    fn register(&mut self) -> Object {
        let count = u64::from(REGISTERS.end - REGISTERS.start);
        REGISTERS.start + Object::try_from(self.random.below(count)).unwrap()
    }

    /// One step through an attempt; `None` if it has lost.
    async fn perform(&mut self, attempt: &Attempt, step: Plan) -> Option<Op> {
        let value = self.next_value.fetch_add(1, Ordering::Relaxed);
        match step {
            Plan::Append(list) if PACKED_LISTS.contains(&list) => {
                let old = read(attempt, list_key(list)).await?;
                let packed = [old.as_deref().unwrap_or_default(), &value.to_be_bytes()].concat();
                attempt.put(vec![(list_key(list), packed.into())]).unwrap();
                Some(Op::Append(list, value))
            }
            Plan::Append(list) => {
                let newest = walk(attempt, last_element(list)).await?;
                let position = newest.first().map_or(0, |(key, _)| position(key) + 1);
                let key = element_key(list, position);
                attempt.put(vec![(key, value.to_be_bytes().into())]).unwrap();
                Some(Op::Append(list, value))
            }
            Plan::List(list) if PACKED_LISTS.contains(&list) => {
                Some(Op::List(list, unpack(read(attempt, list_key(list)).await?.as_ref())))
            }
            Plan::List(list) => Some(Op::List(list, elements(walk(attempt, whole(list)).await?))),
            Plan::Write(register) => {
                attempt.put(vec![(list_key(register), value.to_be_bytes().into())]).unwrap();
                Some(Op::Write(register, value))
            }
            Plan::Read(register) => {
                let value = read(attempt, list_key(register)).await?;
                Some(Op::Read(register, value.map(|value| number(&value))))
            }
        }
    }

    async fn plain_write(&mut self) {
        let (mut batch, mut ops) = (WriteBatch::default(), Vec::new());
        for register in [REGISTERS.start, self.register()] {
            let value = self.next_value.fetch_add(1, Ordering::Relaxed);
            batch.put(list_key(register), value.to_be_bytes().into());
            ops.push(Op::Write(register, value));
        }
        let invoked = self.recorder.invoke();
        self.caller.write(batch).await;
        self.recorder.respond(invoked, ops, End::Committed);
    }

    async fn plain_read(&mut self) {
        let keys = REGISTERS.chain(PACKED_LISTS).map(list_key).collect();
        let invoked = self.recorder.invoke();
        let answer = self.caller.0.read(keys, ReadView::Latest(None));
        let values = fresh(answer.wait().await.unwrap());
        let ops = REGISTERS.chain(PACKED_LISTS).zip(values).map(|(object, value)| {
            if REGISTERS.contains(&object) {
                Op::Read(object, value.map(|value| number(&value)))
            } else {
                Op::List(object, unpack(value.as_ref()))
            }
        });
        let ops = ops.collect();
        self.recorder.respond(invoked, ops, End::Committed);
    }

    async fn plain_list(&mut self) {
        let list = SPREAD_LISTS.start;
        let invoked = self.recorder.invoke();
        let answer = self.caller.0.list(whole(list), ReadView::Latest(None));
        let ReadResult::Value(entries) = answer.wait().await.unwrap() else {
            panic!("a plain list is never stale");
        };
        self.recorder.respond(invoked, vec![Op::List(list, elements(entries))], End::Committed);
    }
}

async fn read(attempt: &Attempt, key: Key) -> Option<Option<Value>> {
    match attempt.read(vec![key]).wait().await.unwrap() {
        ReadResult::Value(mut values) => Some(values.remove(0)),
        ReadResult::Conflict(_) => None,
    }
}

async fn walk(attempt: &Attempt, scan: Scan) -> Option<Vec<Entry>> {
    match attempt.list(scan).wait().await.unwrap() {
        ReadResult::Value(entries) => Some(entries),
        ReadResult::Conflict(_) => None,
    }
}

fn list_key(object: Object) -> Key {
    Key::from(object.to_be_bytes())
}

fn element_key(list: Object, position: u32) -> Key {
    Key::from([list.to_be_bytes(), position.to_be_bytes()].concat())
}

fn position(key: &[u8]) -> u32 {
    u32::from_be_bytes(key[size_of::<Object>()..].try_into().unwrap())
}

fn whole(list: Object) -> Scan {
    Scan::new(&ListOptions { prefix: Some(&list.to_be_bytes()), ..ListOptions::default() })
}

fn last_element(list: Object) -> Scan {
    Scan { reverse: true, limit: Some(1), ..whole(list) }
}

fn elements(entries: Vec<Entry>) -> Vec<u64> {
    entries.into_iter().map(|(_, value)| number(&value)).collect()
}

fn unpack(packed: Option<&Value>) -> Vec<u64> {
    packed
        .map(|packed| &**packed)
        .unwrap_or_default()
        .chunks(size_of::<u64>())
        .map(number)
        .collect()
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}
