//! Sends what waits for one object: everything that has gathered, in one go, then what has come meanwhile.
//!
//! **Order:** an answer counts only if the plain writes before the question have been applied. A question may
//! travel behind such writes; if they had to wait (somebody else has a turn), it is asked again.
//!
//! **Once:** what was sent without an answer is sent again, with the same stamp, until its deadline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use redis::{Pipeline, Value as Answer};
use tokio::time::{Duration, Instant};

use super::batch::Batch;
use super::commit::{self, Committer, Outcome};
use super::failure::Failure;
use super::link::ANSWER_MAX;
use super::object::{RedisObject, unanswered};
use super::op::{Asker, Kind, Op, Step};
use super::state::State;
use crate::error::Error;
use crate::lock::lock;
use crate::transaction::Footprint;

/// Most questions that travel together.
const LOAD_OPS_MAX: usize = 256;
/// How long to wait at most before trying to reach the server again.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long to wait for a server that is about to serve.
const SOON: Duration = Duration::from_millis(100);
/// How long a commit that has to wait for a turn waits before it asks again.
const TURN_WAIT: Duration = Duration::from_millis(2);

/// What travels together: questions, the next plain writes, and questions behind these.
#[derive(Default)]
struct Load {
    before: Vec<Op>,
    batch: Option<Batch>,
    after: Vec<Op>,
}

enum Next {
    Idle,
    Wait(Instant),
    Send(Box<(Load, Pipeline)>),
}

/// Sends until nothing waits.
pub(super) async fn drive(object: Arc<RedisObject>) {
    let _guard = PanicGuard(object.clone());
    loop {
        match next(&object) {
            Next::Idle => return,
            Next::Wait(until) => {
                // Something new may come before.
                let _ = tokio::time::timeout_at(until, object.wake.notified()).await;
            }
            Next::Send(sending) => {
                let (load, pipeline) = *sending;
                let sent = match object.prepare(load.alarms()).await {
                    Ok(()) => object.place.link.send(&pipeline).await,
                    Err(failure) => Err(failure.unsent()),
                };
                match sent {
                    Ok(answers) => settle(&object, load, answers).await,
                    Err(failure) => postpone(&object, load, &failure),
                }
            }
        }
    }
}

/// Ends the object when its driver panics: nobody else would answer what waits.
struct PanicGuard(Arc<RedisObject>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end_all(&Error::Internal("sending to Redis has panicked".into()));
        }
    }
}

impl Load {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.batch.is_none() && self.after.is_empty()
    }

    /// The alarms that are set, by time, with their names; nothing if nothing is written.
    fn alarms(&self) -> Option<Vec<(i64, String)>> {
        let commits = self.before.iter().filter_map(|op| match &op.kind {
            Kind::Commit(commit) => Some((&commit.writes, &commit.stamp)),
            _ => None,
        });
        let plain = self.batch.iter().map(|batch| (&batch.writes, &batch.stamp));
        let mut written = false;
        let mut alarms = Vec::new();
        for (writes, stamp) in commits.chain(plain) {
            written |= !writes.only_removes();
            if let (Some(Some(time)), Some(name)) = (writes.alarm(), &stamp.alarm_name) {
                alarms.push((time, name.clone()));
            }
        }
        written.then_some(alarms)
    }
}

/// Picks what travels next.
fn next(object: &RedisObject) -> Next {
    let now = Instant::now();
    let Ok(mut state) = lock(&object.state) else {
        return Next::Idle;
    };
    // Whoever waits for a turn to end asks right behind an end that is in this load.
    let turn = state.turn.as_ref().map(|turn| turn.who.clone());
    let turn_ends = turn.is_some_and(|who| state.ops.iter().any(|op| op.ends(&who)));
    let is_ready =
        |op: &Op| op.not_before.is_none_or(|at| at <= now) || (turn_ends && op.waits_for_turn());
    // What changes something takes effect in the order of the calls: all others wait behind the first that waits.
    let first = state.ops.iter().position(|op| op.is_in_queue() && op.waits_for_turn());
    let behind = first.and_then(|at| state.ops.get(at)).map(|op| op.barrier);
    let batch = state.lane.next(now, behind, turn_ends);
    let mut load = Load { batch, ..Load::default() };
    let after = load.batch.as_ref().map(Batch::ticket);
    let mut waiting = VecDeque::new();
    let mut probe = None;
    for (at, mut op) in std::mem::take(&mut state.ops).into_iter().enumerate() {
        if op.is_in_queue() && first.is_some_and(|first| at > first) {
            op.hold();
            waiting.push_back(op);
        } else if !is_ready(&op) || load.before.len() + load.after.len() >= LOAD_OPS_MAX {
            waiting.push_back(op);
        } else if op.barrier <= state.lane.settled() {
            if first == Some(at) {
                probe = Some(op);
            } else {
                load.before.push(op);
            }
        } else if op.is_read() && after.is_some_and(|ticket| op.barrier <= ticket) {
            load.after.push(op);
        } else {
            waiting.push_back(op);
        }
    }
    state.ops = waiting;
    load.before.extend(probe);
    if load.is_empty() {
        let waits = state.ops.iter().filter_map(|op| op.not_before).min();
        let at = [waits, state.lane.next_at(now, behind)].into_iter().flatten().min();
        if at.is_none() {
            state.driven = false;
        }
        return at.map_or(Next::Idle, Next::Wait);
    }
    load.before = join(load.before);
    load.after = join(load.after);
    let pipeline = pipeline(object, &mut state, &mut load);
    Next::Send(Box::new((load, pipeline)))
}

/// Makes one question of those that read in the same way.
fn join(ops: Vec<Op>) -> Vec<Op> {
    let mut joined: Vec<Op> = Vec::with_capacity(ops.len());
    for op in ops {
        let mut rest = Some(op);
        // Writes of attempts stand between reads: what is joined must not cross them.
        for earlier in joined.iter_mut().rev().take_while(|earlier| earlier.is_read()) {
            rest = rest.and_then(|op| earlier.join(op));
        }
        joined.extend(rest);
    }
    joined
}

fn pipeline(object: &RedisObject, state: &mut State, load: &mut Load) -> Pipeline {
    let by = Asker { names: &object.names, client: &object.place.client };
    let mut pipeline = Pipeline::new();
    for op in &mut load.before {
        if let Kind::Commit(commit) = &mut op.kind {
            state.slots.stamp(&mut commit.stamp);
            commit.stamp.whole = op.whole;
            name_alarm(object, &commit.writes, &mut commit.stamp);
        }
        let registered = |who: &str| state.registered.contains(who);
        pipeline.add_command(op.command(&by, registered));
    }
    if let Some(batch) = &mut load.batch {
        state.slots.stamp(&mut batch.stamp);
        name_alarm(object, &batch.writes, &mut batch.stamp);
        let committer =
            Committer { names: &object.names, client: &object.place.client, pass: "", attempt: "" };
        let nothing = Footprint::default();
        let asked = batch.asked();
        let command = commit::command(&committer, &batch.stamp, &nothing, &batch.writes, &asked);
        pipeline.add_command(command);
    }
    for op in &load.after {
        let registered = |who: &str| state.registered.contains(who);
        pipeline.add_command(op.command(&by, registered));
    }
    pipeline
}

fn name_alarm(
    object: &RedisObject,
    writes: &crate::write::WriteBatch,
    stamp: &mut super::commit::Stamp,
) {
    if matches!(writes.alarm(), Some(Some(_))) && stamp.alarm_name.is_none() {
        stamp.alarm_name = Some(object.place.new_name());
    }
}

/// Hands out the answers.
async fn settle(object: &Arc<RedisObject>, load: Load, answers: Vec<Answer>) {
    let now = Instant::now();
    let mut answers = answers.into_iter();
    let mut broken = false;
    let mut again = Vec::new();
    if let Ok(mut state) = lock(&object.state) {
        state.failures = 0;
        for op in load.before {
            let answer = answers.next().unwrap_or_default();
            broken |= settle_op(object, &mut state, op, answer, now, &mut again);
        }
        let mut refused = false;
        if let Some(batch) = load.batch {
            let answer = answers.next().unwrap_or_default();
            let (retried, reconnect) = settle_batch(object, &mut state, batch, answer, now);
            refused = retried;
            broken |= reconnect;
        }
        for op in load.after {
            let answer = answers.next().unwrap_or_default();
            if refused {
                again.push(op);
            } else {
                broken |= settle_op(object, &mut state, op, answer, now, &mut again);
            }
        }
        for op in again.into_iter().rev() {
            state.ops.push_front(op);
        }
    }
    if broken {
        object.place.link.reconnect().await;
    }
}

/// Returns whether the connection has to be made anew.
fn settle_op(
    object: &RedisObject,
    state: &mut State,
    mut op: Op,
    answer: Answer,
    now: Instant,
    again: &mut Vec<Op>,
) -> bool {
    let answer = match answer.extract_error() {
        Ok(answer) => answer,
        Err(error) => {
            let failure = object.place.link.judge(&error);
            let retry_at = match &failure {
                Failure::UnknownScript if !op.whole => {
                    op.whole = true;
                    None
                }
                Failure::Soon(_) | Failure::Connection(_) if now < op.deadline => Some(now + SOON),
                _ => {
                    give_up(state, op, &failure.error());
                    return false;
                }
            };
            op.not_before = retry_at;
            again.push(op);
            return matches!(failure, Failure::Connection(_));
        }
    };
    if let Kind::Commit(commit) = &op.kind
        && !commit::is(&answer, "wait")
    {
        state.slots.release(&commit.stamp);
    }
    if let Some(alarm) = op.alarm_after(&answer) {
        note_alarm(object, alarm);
    }
    match op.answered(answer, now) {
        Step::Done => {}
        Step::Registered(who) => {
            state.registered.insert(who);
        }
        Step::Left(who) => {
            state.registered.remove(&who);
            state.hurry();
        }
        Step::Again(op) => again.push(op),
    }
    false
}

/// Returns whether the batch has to be sent again, and whether on a new connection.
fn settle_batch(
    object: &RedisObject,
    state: &mut State,
    mut batch: Batch,
    answer: Answer,
    now: Instant,
) -> (bool, bool) {
    let outcome = match answer.extract_error() {
        Ok(answer) => commit::outcome(answer),
        Err(error) => {
            let failure = object.place.link.judge(&error);
            match &failure {
                Failure::UnknownScript if !batch.stamp.whole => {
                    batch.stamp.whole = true;
                    state.lane.retry(batch);
                    return (true, false);
                }
                Failure::Soon(_) | Failure::Connection(_) if now < batch.deadline => {
                    batch.not_before = Some(now + SOON);
                    state.lane.retry(batch);
                    return (true, matches!(failure, Failure::Connection(_)));
                }
                _ => Err(failure.error()),
            }
        }
    };
    match outcome {
        Ok(Outcome::Wait) => {
            batch.not_before = Some(now + TURN_WAIT);
            // Waiting for a turn is no failure.
            batch.deadline = batch.deadline.max(now + ANSWER_MAX);
            state.lane.retry(batch);
            return (true, false);
        }
        Ok(Outcome::Committed { alarm_before, exists }) => {
            object.forget_alarm(alarm_before);
            state.slots.release(&batch.stamp);
            state.lane.settle(batch.ticket());
            if let Some(alarm) = batch.writes.alarm() {
                note_alarm(object, alarm);
            }
            batch.committed(&exists, &object.durability);
        }
        Ok(Outcome::Lost(what)) => {
            let error = Error::Internal(format!("a plain write has lost to {what}"));
            fail_batch(object, state, batch, &error);
        }
        Err(error) => fail_batch(object, state, batch, &error),
    }
    (false, false)
}

/// Notes the alarm that there is now. The index is a hint: what cannot be noted is read again from the server.
fn note_alarm(object: &RedisObject, alarm: Option<i64>) {
    let _ = object.place.set_alarm(&object.key, alarm);
}

fn fail_batch(object: &RedisObject, state: &mut State, batch: Batch, error: &Error) {
    state.slots.release(&batch.stamp);
    state.lane.fail(batch, error, &object.durability);
}

fn give_up(state: &mut State, op: Op, error: &Error) {
    if let Kind::Commit(commit) = &op.kind {
        state.slots.release(&commit.stamp);
    }
    op.fail(error);
}

/// Nothing of a load was answered: it is sent again, as it was, until its deadlines.
fn postpone(object: &RedisObject, load: Load, failure: &Failure) {
    let now = Instant::now();
    let Ok(mut state) = lock(&object.state) else {
        return;
    };
    let in_doubt = matches!(failure, Failure::Connection(_));
    let last = matches!(failure, Failure::Final(_) | Failure::UnknownScript);
    let delay = Duration::from_millis(25 << state.failures.min(6)).min(RETRY_MAX);
    state.failures += 1;
    let error = failure.error();
    let mut again = Vec::new();
    for mut op in load.before.into_iter().chain(load.after) {
        if let Kind::Commit(commit) = &mut op.kind {
            commit.stamp.in_doubt |= in_doubt;
        }
        if last || now >= op.deadline {
            let error = unanswered(&error, op.is_in_doubt());
            give_up(&mut state, op, &error);
        } else {
            op.not_before = Some(now + delay);
            again.push(op);
        }
    }
    for op in again.into_iter().rev() {
        state.ops.push_front(op);
    }
    if let Some(mut batch) = load.batch {
        batch.stamp.in_doubt |= in_doubt;
        if last || now >= batch.deadline {
            let error = unanswered(&error, batch.stamp.in_doubt);
            fail_batch(object, &mut state, batch, &error);
        } else {
            batch.not_before = Some(now + delay);
            state.lane.retry(batch);
        }
    }
}
