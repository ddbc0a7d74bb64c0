//! Runs a program on an object and on the model side by side, and compares every answer.

use std::collections::VecDeque;
use std::sync::Arc;

use ferroflare_core::answer::Pending;
use ferroflare_core::backend::{
    CommitOutcome, Committed, ObjectKey, ObjectStorage, ReadView, Start, Store,
};
use ferroflare_core::concurrency::TransactionId;
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::Scan;
use ferroflare_core::transaction::Attempt;
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Answer, Result};

use super::attempt::{Ended, Run};
use super::program::{self, SLOTS, Step};
use super::timeline::Timeline;
use crate::places::TestPlace;
use crate::support::{fresh, object_key, poll};

struct World<'a> {
    backend: &'a dyn TestPlace,
    place: Arc<dyn Store>,
    object: Arc<dyn ObjectStorage>,
    timeline: Timeline,
    slots: [Slot; SLOTS],
    /// Who runs alone, and the attempts out of its closure.
    holder: Option<TransactionId>,
    guests: Vec<TransactionId>,
    /// What waits for the end of the turn, in the order of the calls.
    queue: VecDeque<(Operation, Pending<Done>)>,
    /// Whether a caller has given up waiting since the queue was empty. Whether a read still waits
    /// behind that, is not promised.
    gave_up: bool,
    /// Removals of a key that does not exist, with the states that they have made.
    probes: Vec<(usize, Key)>,
    steps: u32,
}

enum Slot {
    Idle,
    Beginning,
    Running(Run),
    /// Started at this state.
    Committing(usize),
}

/// An operation of the object, with what is needed to check its answer.
enum Operation {
    Write(WriteBatch),
    Probe(Key),
    Read(Vec<Key>),
    List(Scan),
    Alarm,
    TakeAlarm(i64),
    Begin { slot: usize, turn: bool, issued_by: Option<TransactionId> },
    Commit { slot: usize, id: TransactionId, ended: Ended },
}

/// The answer of an operation.
enum Done {
    Committed(Committed),
    Values(Vec<Option<Value>>),
    Entries(Vec<Entry>),
    Alarm(Option<i64>),
    Taken(bool),
    Started(Start),
    Ended(CommitOutcome),
}

/// Runs a program from an empty object to the end of its last attempt.
pub(crate) async fn run(backend: &dyn TestPlace, program: Vec<Step>) {
    let place = backend.open().await;
    let mut world = World {
        object: place.object(&object_key("one")).unwrap(),
        backend,
        place,
        timeline: Timeline::new(),
        slots: [const { Slot::Idle }; SLOTS],
        holder: None,
        guests: Vec::new(),
        queue: VecDeque::new(),
        gave_up: false,
        probes: Vec::new(),
        steps: 0,
    };
    for step in program {
        world.step(step).await;
        world.drain().await;
        world.check().await;
    }
    while world.slots.iter().any(|slot| !matches!(slot, Slot::Idle)) {
        for slot in 0..SLOTS {
            world.end(slot);
            world.drain().await;
        }
        world.check().await;
    }
    assert!(world.queue.is_empty(), "operations wait although the turn is free");
    let all = Step::List { walk: program::everything(), from: None };
    world.step(all).await;
}

impl World<'_> {
    async fn step(&mut self, step: Step) {
        self.steps += 1;
        if self.is_left_open(&step) {
            return;
        }
        let value = Value::from(self.steps.to_string().as_bytes());
        match step {
            Step::Write { writes, from } => {
                let (batch, issued_by) = (writes.batch(&value), self.issued_by(from));
                // Where others have to be asked, nothing is asked for nothing.
                if batch.is_empty() && !self.backend.answers_at_once() {
                    return;
                }
                let answer = self.object.write(batch.clone(), issued_by);
                let answer = answer.and_then(|committed| Ok(Done::Committed(committed)));
                let admitted = self.may_change(issued_by);
                self.submit(Operation::Write(batch), answer, admitted).await;
            }
            Step::Probe => {
                let probe = Key::from([b"probe", &*value].concat());
                let mut batch = WriteBatch::default();
                batch.delete(probe.clone());
                let answer = self.object.write(batch, None);
                let answer = answer.and_then(|committed| Ok(Done::Committed(committed)));
                let admitted = self.may_change(None);
                self.submit(Operation::Probe(probe), answer, admitted).await;
            }
            Step::Read { keys, from } => {
                let keys = program::keys(&keys);
                let issued_by = self.issued_by(from);
                let answer = self.object.read(keys.clone(), ReadView::Latest(issued_by));
                let answer = answer.and_then(|read| Ok(Done::Values(fresh(read))));
                let admitted = self.may_look(issued_by);
                self.submit(Operation::Read(keys), answer, admitted).await;
            }
            Step::List { walk, from } => {
                let (scan, issued_by) = (walk.scan(), self.issued_by(from));
                let answer = self.object.list(scan.clone(), ReadView::Latest(issued_by));
                let answer = answer.and_then(|read| Ok(Done::Entries(fresh(read))));
                let admitted = self.may_look(issued_by);
                self.submit(Operation::List(scan), answer, admitted).await;
            }
            Step::Alarm { from } => {
                let issued_by = self.issued_by(from);
                let answer = self.object.alarm(ReadView::Latest(issued_by));
                let answer = answer.and_then(|read| Ok(Done::Alarm(fresh(read))));
                let admitted = self.may_look(issued_by);
                self.submit(Operation::Alarm, answer, admitted).await;
            }
            Step::TakeAlarm { due } => {
                let answer = self.object.take_alarm(due).and_then(|taken| Ok(Done::Taken(taken)));
                let admitted = self.may_change(None);
                self.submit(Operation::TakeAlarm(due), answer, admitted).await;
            }
            Step::Begin { slot, turn, from } => self.begin(slot, turn, from).await,
            Step::Commit { slot, discard } => self.commit(slot, discard).await,
            Step::Drop { slot } => self.end(slot),
            Step::Seal => self.object.seal(),
            Step::In { slot, act } => {
                if let Slot::Running(run) = &mut self.slots[slot] {
                    let alone = self.holder == Some(run.id());
                    run.act(&self.timeline, alone, act, &value).await;
                }
            }
        }
    }

    /// Whether the contract leaves open when a read is made. Behind operations that wait for a turn, it may wait for
    /// the end of theirs too. Where answers take their time, only the answer would tell.
    fn is_left_open(&self, step: &Step) -> bool {
        let (Step::Read { from, .. }
        | Step::List { from, .. }
        | Step::Alarm { from }
        | Step::Begin { turn: false, from, .. }) = step
        else {
            return false;
        };
        !self.backend.answers_at_once() && !self.may_look(self.issued_by(*from))
    }

    async fn begin(&mut self, slot: usize, turn: bool, from: Option<usize>) {
        if !matches!(self.slots[slot], Slot::Idle) {
            return;
        }
        let issued_by = self.issued_by(from);
        let answer = self.object.begin(turn, issued_by).and_then(|start| Ok(Done::Started(start)));
        let admitted = if turn { self.may_change(issued_by) } else { self.may_look(issued_by) };
        self.slots[slot] = Slot::Beginning;
        self.submit(Operation::Begin { slot, turn, issued_by }, answer, admitted).await;
    }

    async fn commit(&mut self, slot: usize, discard: bool) {
        let run = match std::mem::replace(&mut self.slots[slot], Slot::Idle) {
            Slot::Running(run) => run,
            other => {
                self.slots[slot] = other;
                return;
            }
        };
        let id = run.id();
        self.slots[slot] = Slot::Committing(run.start());
        let (answer, ended) = run.commit(discard);
        let answer = answer.and_then(|outcome| Ok(Done::Ended(outcome)));
        // An attempt that knows that it has lost need not ask. One that writes nothing takes nothing from a turn.
        let may_pass = ended.writes_nothing() && self.backend.reads_commit_beside_turns();
        let admitted = ended.lost() || may_pass || self.may_change(Some(id));
        self.submit(Operation::Commit { slot, id, ended }, answer, admitted).await;
    }

    /// Drops what is in a slot, if it can be dropped.
    fn end(&mut self, slot: usize) {
        match std::mem::replace(&mut self.slots[slot], Slot::Idle) {
            Slot::Idle => {}
            // Where answers take their time, a test cannot tell whether a read waits behind a gap.
            Slot::Beginning if !self.backend.answers_at_once() => {
                self.slots[slot] = Slot::Beginning;
            }
            Slot::Beginning => {
                self.gave_up = true;
                self.queue.retain(|(operation, _)| {
                    !matches!(operation, Operation::Begin { slot: begun, .. } if *begun == slot)
                });
            }
            Slot::Running(run) => self.release(run.id()),
            committing @ Slot::Committing(_) => self.slots[slot] = committing,
        }
    }

    /// Takes an operation's answer, now or later, as the model says.
    async fn submit(&mut self, operation: Operation, answer: Answer<Done>, admitted: bool) {
        match answer {
            Answer::Now(result) => {
                assert!(admitted, "it does not wait for the turn");
                self.complete(operation, result);
            }
            Answer::Later(mut pending) if admitted => {
                if self.backend.answers_at_once() {
                    assert!(self.holder.is_some() && self.gave_up, "it waits although it may act");
                    assert!(poll(&mut pending).is_none(), "it is late although it does not wait");
                    self.queue.push_back((operation, pending));
                    return;
                }
                let result = pending.await;
                self.complete(operation, result);
            }
            Answer::Later(pending) => self.queue.push_back((operation, pending)),
        }
    }

    /// Takes the answers of what may run now, and sees that the rest waits.
    async fn drain(&mut self) {
        while self.holder.is_none()
            && let Some((operation, mut pending)) = self.queue.pop_front()
        {
            let result = if self.backend.answers_at_once() {
                poll(&mut pending).expect("it waits although the turn is free")
            } else {
                pending.await
            };
            self.complete(operation, result);
        }
        self.gave_up &= self.holder.is_some();
        for (_, pending) in &mut self.queue {
            assert!(poll(pending).is_none(), "it does not wait for the turn");
        }
    }

    /// Compares an answer with the model's, whose turn it is now.
    fn complete(&mut self, operation: Operation, result: Result<Done>) {
        let now = self.timeline.now();
        let nothing = WriteBatch::default();
        match (operation, result) {
            (Operation::Write(batch), Ok(Done::Committed(committed))) => {
                assert_eq!(committed.removed, self.timeline.commit(&batch));
            }
            (Operation::Probe(probe), Ok(Done::Committed(committed))) => {
                assert_eq!(committed.removed, 0);
                let mut batch = WriteBatch::default();
                batch.delete(probe.clone());
                self.timeline.commit(&batch);
                self.probes.push((self.timeline.newest(), probe));
            }
            (Operation::Read(keys), Ok(Done::Values(values))) => {
                let expected: Vec<_> = keys.iter().map(|key| now.get(key, &nothing)).collect();
                assert_eq!(values, expected);
            }
            (Operation::List(scan), Ok(Done::Entries(entries))) => {
                assert_eq!(entries, now.list(&scan, &nothing));
            }
            (Operation::Alarm, Ok(Done::Alarm(alarm))) => assert_eq!(alarm, now.alarm),
            (Operation::TakeAlarm(due), Ok(Done::Taken(taken))) => {
                assert_eq!(taken, now.alarm.is_some_and(|at| at <= due));
                if taken {
                    let mut batch = WriteBatch::default();
                    batch.set_alarm(None);
                    self.timeline.commit(&batch);
                }
            }
            (Operation::Begin { slot, turn, issued_by }, Ok(Done::Started(start))) => {
                if issued_by.is_some_and(|issued_by| self.is_in_turn(issued_by)) {
                    self.guests.push(start.id);
                } else if turn {
                    self.holder = Some(start.id);
                }
                let attempt = Attempt::new(self.object.clone(), start);
                let newest = self.timeline.newest();
                // A turn starts its attempt in any case.
                let late = self.backend.starts_at_first_read() && self.holder != Some(start.id);
                self.slots[slot] = Slot::Running(Run::new(attempt, newest, late));
            }
            (Operation::Commit { slot, id, ended }, result) => {
                let outcome = result.map(|done| match done {
                    Done::Ended(outcome) => outcome,
                    _ => unreachable!("a commit ends an attempt"),
                });
                ended.check(&mut self.timeline, self.holder == Some(id), outcome);
                self.slots[slot] = Slot::Idle;
                self.release(id);
            }
            (_, Ok(_)) => unreachable!("each operation makes its own kind of answer"),
            (_, Err(error)) => panic!("an operation outside attempts fails: {error}"),
        }
    }

    /// What holds after every step.
    async fn check(&self) {
        let now = self.timeline.now();
        let alarms: Vec<(i64, ObjectKey)> =
            now.alarm.map(|at| (at, object_key("one"))).into_iter().collect();
        assert_eq!(self.place.alarms(&["OBJECT".into()]), Ok(alarms));
        let holds_data = !now.entries.is_empty() || now.alarm.is_some();
        let listed = self.place.object_ids("OBJECT").wait().await;
        let is_listed = listed.map(|ids| !ids.is_empty());
        if holds_data || self.backend.forgets_emptied_objects() {
            assert_eq!(is_listed, Ok(holds_data));
        }
        if !self.backend.log_shares_keys() {
            return;
        }
        let starts = self.slots.iter().filter_map(|slot| match slot {
            Slot::Idle | Slot::Beginning => None,
            Slot::Running(run) => Some(run.start()),
            Slot::Committing(start) => Some(*start),
        });
        let oldest = starts.min().unwrap_or(usize::MAX);
        for (commit, probe) in &self.probes {
            let remembered = Arc::strong_count(probe) > 1;
            assert!(
                *commit > oldest || !remembered,
                "commit {commit} is remembered for no attempt"
            );
        }
    }

    fn issued_by(&self, from: Option<usize>) -> Option<TransactionId> {
        match &self.slots[from?] {
            Slot::Running(run) => Some(run.id()),
            _ => None,
        }
    }

    fn is_in_turn(&self, id: TransactionId) -> bool {
        self.holder == Some(id) || self.guests.contains(&id)
    }

    fn may_change(&self, issued_by: Option<TransactionId>) -> bool {
        self.holder.is_none() || issued_by.is_some_and(|issued_by| self.is_in_turn(issued_by))
    }

    fn may_look(&self, issued_by: Option<TransactionId>) -> bool {
        self.may_change(issued_by) || self.queue.is_empty()
    }

    fn release(&mut self, id: TransactionId) {
        if self.holder == Some(id) {
            self.holder = None;
            self.guests.clear();
        }
    }
}
