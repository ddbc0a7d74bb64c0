//! Picks what travels together: requests, the next plain writes, and requests behind these.

use std::collections::VecDeque;

use redis::Pipeline;
use tokio::time::{Duration, Instant};

use super::batch::Batch;
use super::state::State;
use crate::backend::Ticket;
use crate::backend::redis::layout::ObjectNames;
use crate::backend::redis::registry::IndexEntries;
use crate::backend::redis::requests::commit::CommitCall;
use crate::backend::redis::requests::question::RequestContext;
use crate::backend::redis::requests::request::Request;
use crate::backend::redis::shared::Shared;
use crate::concurrency::ReadSet;

/// Most requests that travel together.
const REQUESTS_MAX: usize = 256;
/// How long the object stays in the index without being added again.
const INDEX_AGE_MAX: Duration = Duration::from_secs(60);

/// What travels together.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) before: Vec<Request>,
    pub(crate) batch: Option<Batch>,
    /// Reads that see the batch. Their replies count only if the batch was applied.
    pub(crate) after: Vec<Request>,
}

/// What to do next.
pub(crate) enum Next<T> {
    /// Nothing waits.
    Idle,
    /// Nothing may be sent before this moment.
    Wait(Instant),
    Send(T),
}

/// What a pick knows before it looks at each request.
struct Rules {
    now: Instant,
    /// Whether the turn that this process has ends in this round.
    turn_ends: bool,
    /// Position of the first request that waits for a turn: later queued ones wait behind it.
    first_waiting: Option<usize>,
    /// Plain writes before that request.
    behind: Option<Ticket>,
}

impl Rules {
    fn of(state: &State, now: Instant) -> Self {
        // Requests that wait for a turn are asked right behind the end of that turn, in the same round.
        let ends = |name: &str| state.requests.iter().any(|request| request.ends(name));
        let turn_ends = state.turn.as_ref().is_some_and(|turn| ends(&turn.name));
        let mut requests = state.requests.iter();
        let waits = |request: &Request| request.is_queued() && request.waits_for_turn();
        let first_waiting = requests.position(waits);
        let behind = first_waiting.and_then(|at| state.requests.get(at)).map(|first| first.barrier);
        Self { now, turn_ends, first_waiting, behind }
    }

    /// Whether a request may be sent, as far as time decides it.
    fn is_ready(&self, request: &Request) -> bool {
        request.not_before.is_none_or(|at| at <= self.now)
            || (self.turn_ends && request.waits_for_turn())
    }
}

impl Round {
    /// Takes out of `state` what travels next.
    pub(crate) fn pick(state: &mut State, now: Instant) -> Next<Box<Self>> {
        let rules = Rules::of(state, now);
        let batch = state.writes.next(now, rules.behind, rules.turn_ends);
        let mut round = Self { batch, ..Self::default() };
        round.pick_requests(state, &rules);
        if !round.is_empty() {
            round.before = join(round.before);
            round.after = join(round.after);
            return Next::Send(Box::new(round));
        }
        let requests_at = state.requests.iter().filter_map(|request| request.not_before).min();
        let writes_at = state.writes.next_at(now, rules.behind);
        let at = [requests_at, writes_at].into_iter().flatten().min();
        if at.is_none() {
            state.driven = false;
        }
        at.map_or(Next::Idle, Next::Wait)
    }

    fn pick_requests(&mut self, state: &mut State, rules: &Rules) {
        let written = state.writes.ended();
        let after = self.batch.as_ref().map(Batch::ticket);
        let mut waiting = VecDeque::new();
        let mut first_waiting = None;
        for (at, mut request) in std::mem::take(&mut state.requests).into_iter().enumerate() {
            let is_full = self.before.len() + self.after.len() >= REQUESTS_MAX;
            if request.is_queued() && rules.first_waiting.is_some_and(|first| at > first) {
                request.hold();
                waiting.push_back(request);
            } else if !rules.is_ready(&request) || is_full {
                waiting.push_back(request);
            } else if request.barrier <= written && rules.first_waiting == Some(at) {
                first_waiting = Some(request);
            } else if request.barrier <= written {
                self.before.push(request);
            } else if request.is_read() && after.is_some_and(|ticket| request.barrier <= ticket) {
                self.after.push(request);
            } else {
                waiting.push_back(request);
            }
        }
        state.requests = waiting;
        // It asks behind an end of its turn in this round.
        self.before.extend(first_waiting);
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.batch.is_none() && self.after.is_empty()
    }

    /// The commands of the round, in order. Commits get their stamps.
    pub(crate) fn commands(
        &mut self,
        state: &mut State,
        shared: &Shared,
        names: &ObjectNames,
    ) -> Pipeline {
        let State { slots, registered, .. } = state;
        for commit in self.before.iter_mut().filter_map(Request::commit) {
            slots.stamp(&mut commit.stamp, &commit.writes, || shared.new_name());
        }
        let client = &*shared.client;
        let context = RequestContext { names, client, registered, whole: false };
        let mut commands = Pipeline::new();
        for request in &self.before {
            commands.add_command(request.command(&context));
        }
        if let Some(batch) = &mut self.batch {
            slots.stamp(&mut batch.stamp, &batch.writes, || shared.new_name());
            let call = CommitCall {
                turn_token: "",
                attempt: "",
                stamp: &batch.stamp,
                read_set: &ReadSet::default(),
                writes: &batch.writes,
                asked: &batch.asked(),
            };
            commands.add_command(call.command(&RequestContext { whole: batch.whole, ..context }));
        }
        for request in &self.after {
            commands.add_command(request.command(&context));
        }
        commands
    }

    /// What has to be in the index before the round may be sent. Called when its commits have their stamps.
    pub(crate) fn index_entries(
        &mut self,
        indexed_at: Option<Instant>,
        now: Instant,
    ) -> IndexEntries {
        let plain = self.batch.iter().map(|batch| (&batch.writes, &batch.stamp));
        let commits = self.before.iter_mut().filter_map(Request::commit);
        let mut entries = IndexEntries::default();
        for (writes, stamp) in commits.map(|commit| (&commit.writes, &commit.stamp)).chain(plain) {
            entries.object |= !writes.only_removes();
            if let (Some(Some(time)), Some(name)) = (writes.alarm(), &stamp.alarm_name) {
                entries.alarms.push((time, name.clone()));
            }
        }
        entries.object &= indexed_at.is_none_or(|at| now - at > INDEX_AGE_MAX);
        entries
    }
}

/// Makes one request of those that read in the same way.
fn join(requests: Vec<Request>) -> Vec<Request> {
    let mut joined: Vec<Request> = Vec::with_capacity(requests.len());
    for request in requests {
        let mut rest = Some(request);
        // Writes of attempts stand between reads: what is joined must not cross them.
        for earlier in joined.iter_mut().rev().take_while(|earlier| earlier.is_read()) {
            rest = rest.and_then(|request| earlier.join(request));
        }
        joined.extend(rest);
    }
    joined
}
