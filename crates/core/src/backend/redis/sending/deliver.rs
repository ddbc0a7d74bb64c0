//! What follows from the replies to a round, or from their absence. Nothing is changed here: `apply.rs` applies the
//! effects.
//!
//! **Order:** a reply counts only if the plain writes before the request have been applied. A request may travel
//! behind such writes; if they had to wait for the turn of another attempt, it is asked again.
//!
//! **Once:** what was sent without a reply is sent again, with the same stamp, until its deadline.

use redis::{RedisError, Value as Reply};
use tokio::time::{Duration, Instant};

use super::batch::Batch;
use super::round::Round;
use crate::backend::redis::requests::commit::CommitReply;
use crate::backend::redis::requests::question::Finding;
use crate::backend::redis::requests::request::Request;
use crate::backend::redis::server::connection::{ANSWER_MAX, PATIENCE};
use crate::backend::redis::server::errors::Failure;
use crate::error::Error;

/// How long to wait at most before trying to reach the server again.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long to wait for a server that will soon accept the command.
const SOON: Duration = Duration::from_millis(100);
/// How long a commit that has to wait for a turn waits before it asks again.
const TURN_WAIT: Duration = Duration::from_millis(2);

/// What follows from a round. Effects are applied in order.
pub(crate) enum Effect {
    /// What a reply tells.
    Found(Finding),
    /// The request has to be sent again.
    Retry(Request),
    /// The plain writes have to be sent again.
    RetryWrites(Batch),
    /// The plain writes are applied.
    WritesCommitted { batch: Batch, exists: Vec<bool> },
    /// The plain writes are lost, and so are those after them.
    WritesFailed { batch: Batch, error: Error },
    /// The connection can no longer be used.
    Reconnect,
}

/// What follows from the server's replies, one for each command. `judge` says what an error means.
pub(crate) fn deliver(
    round: Round,
    replies: Vec<Reply>,
    judge: impl Fn(&RedisError) -> Failure,
    now: Instant,
) -> Vec<Effect> {
    let mut replies = replies.into_iter();
    let mut next =
        || replies.next().unwrap_or_default().extract_error().map_err(|error| judge(&error));
    let mut effects = Vec::new();
    for request in round.before {
        deliver_request(request, next(), now, &mut effects);
    }
    let is_committed =
        round.batch.is_none_or(|batch| deliver_batch(batch, next(), now, &mut effects));
    for request in round.after {
        let reply = next();
        if is_committed {
            deliver_request(request, reply, now, &mut effects);
        } else {
            effects.push(Effect::Retry(request));
        }
    }
    effects
}

fn deliver_request(
    mut request: Request,
    reply: Result<Reply, Failure>,
    now: Instant,
    effects: &mut Vec<Effect>,
) {
    let mut findings = Vec::new();
    let retry = match reply {
        Ok(reply) => request.read_reply(reply, now, &mut findings),
        Err(Failure::UnknownScript) if !request.whole => {
            request.whole = true;
            request.not_before = None;
            Some(request)
        }
        Err(failure) if is_retried(&failure) && now < request.deadline => {
            request.not_before = Some(now + SOON);
            reconnect_after(&failure, effects);
            Some(request)
        }
        Err(failure) => {
            request.fail(&failure.error(), &mut findings);
            None
        }
    };
    effects.extend(findings.into_iter().map(Effect::Found));
    effects.extend(retry.map(Effect::Retry));
}

/// Returns false if the batch has to be sent again.
fn deliver_batch(
    mut batch: Batch,
    reply: Result<Reply, Failure>,
    now: Instant,
    effects: &mut Vec<Effect>,
) -> bool {
    let outcome = match reply {
        Ok(reply) => CommitReply::of(reply),
        Err(Failure::UnknownScript) if !batch.whole => {
            batch.whole = true;
            effects.push(Effect::RetryWrites(batch));
            return false;
        }
        Err(failure) if is_retried(&failure) && now < batch.deadline => {
            batch.not_before = Some(now + SOON);
            reconnect_after(&failure, effects);
            effects.push(Effect::RetryWrites(batch));
            return false;
        }
        Err(failure) => Err(failure.error()),
    };
    match outcome {
        Ok(CommitReply::Wait) => {
            batch.not_before = Some(now + TURN_WAIT);
            // Waiting for a turn is no failure.
            batch.deadline = batch.deadline.max(now + ANSWER_MAX);
            effects.push(Effect::RetryWrites(batch));
            return false;
        }
        Ok(CommitReply::Committed { alarm_before, exists }) => {
            let gone = alarm_before.map(Finding::AlarmGone);
            let set = batch.writes.alarm().map(Finding::AlarmIs);
            let findings = [gone, batch.stamp.ended(), set].into_iter().flatten();
            effects.extend(findings.map(Effect::Found));
            effects.push(Effect::WritesCommitted { batch, exists });
        }
        Ok(CommitReply::Lost(what)) => {
            let error = Error::Internal(format!("a plain write has lost to {what}"));
            fail_batch(batch, error, effects);
        }
        Err(error) => fail_batch(batch, error, effects),
    }
    true
}

fn is_retried(failure: &Failure) -> bool {
    matches!(failure, Failure::Soon(_) | Failure::Connection(_))
}

fn reconnect_after(failure: &Failure, effects: &mut Vec<Effect>) {
    if matches!(failure, Failure::Connection(_)) {
        effects.push(Effect::Reconnect);
    }
}

fn fail_batch(batch: Batch, error: Error, effects: &mut Vec<Effect>) {
    effects.extend(batch.stamp.ended().map(Effect::Found));
    effects.push(Effect::WritesFailed { batch, error });
}

/// What follows when no reply came: everything is sent again, as it was, until its deadline. `failures` is how often in
/// a row the server could not be reached before.
pub(crate) fn postpone(
    round: Round,
    failure: &Failure,
    failures: u32,
    now: Instant,
) -> Vec<Effect> {
    let in_doubt = matches!(failure, Failure::Connection(_));
    let is_final = matches!(failure, Failure::Final(_) | Failure::UnknownScript);
    let delay = Duration::from_millis(25 << failures.min(6)).min(RETRY_MAX);
    let error = failure.error();
    let mut effects = Vec::new();
    for mut request in round.before.into_iter().chain(round.after) {
        if let Some(commit) = request.commit() {
            commit.stamp.in_doubt |= in_doubt;
        }
        if is_final || now >= request.deadline {
            let mut findings = Vec::new();
            let error = unanswered(&error, request.is_in_doubt());
            request.fail(&error, &mut findings);
            effects.extend(findings.into_iter().map(Effect::Found));
        } else {
            request.not_before = Some(now + delay);
            effects.push(Effect::Retry(request));
        }
    }
    if let Some(mut batch) = round.batch {
        batch.stamp.in_doubt |= in_doubt;
        if is_final || now >= batch.deadline {
            let error = unanswered(&error, batch.stamp.in_doubt);
            fail_batch(batch, error, &mut effects);
        } else {
            batch.not_before = Some(now + delay);
            effects.push(Effect::RetryWrites(batch));
        }
    }
    effects
}

/// The error for a request without a reply; `in_doubt` if the server may have applied it.
fn unanswered(error: &Error, in_doubt: bool) -> Error {
    match error {
        Error::RedisUnreachable { url, reason } if in_doubt => Error::RedisUnknownOutcome {
            url: url.clone(),
            seconds: PATIENCE.as_secs(),
            reason: reason.clone(),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::requests::awaited::Awaited;
    use crate::backend::redis::requests::commit::{Commit, Slots};
    use crate::backend::redis::requests::read::{Get, Look};
    use crate::backend::redis::sending::write_queue::WriteQueue;
    use crate::concurrency::ReadSet;
    use crate::key::{Key, Value};
    use crate::write_batch::WriteBatch;

    #[expect(clippy::disallowed_methods, reason = "a test is the caller that passes the time")]
    fn now() -> Instant {
        Instant::now()
    }

    fn soon() -> Instant {
        now() + Duration::from_secs(5)
    }

    fn text(text: &str) -> Reply {
        Reply::BulkString(text.into())
    }

    fn words(words: &[&str]) -> Reply {
        Reply::Array(words.iter().map(|word| text(word)).collect())
    }

    fn put() -> WriteBatch {
        let mut writes = WriteBatch::default();
        writes.put(Key::from(b"a".as_slice()), Value::from(b"1".as_slice()));
        writes
    }

    fn batch() -> Batch {
        let mut queue = WriteQueue::default();
        assert!(queue.write(put(), soon()).is_ok());
        queue.seal();
        let Some(mut batch) = queue.next(now(), None, false) else { panic!("a batch waits") };
        Slots::default().stamp(&mut batch.stamp, &batch.writes, String::new);
        batch
    }

    fn get() -> (Request, Awaited<Vec<Option<Value>>>) {
        let (caller, awaited) = Awaited::new();
        (Request::new(Get::new(vec![Key::from(b"a".as_slice())], caller), 1, soon()), awaited)
    }

    fn commit() -> (Request, Awaited<CommitReply>) {
        let (caller, awaited) = Awaited::new();
        let attempt = Some("attempt".into());
        let commit = Commit::new(attempt, None, ReadSet::default(), put(), caller);
        let mut request = Request::new(commit, 0, soon());
        if let Some(commit) = request.commit() {
            Slots::default().stamp(&mut commit.stamp, &commit.writes, String::new);
        }
        (request, awaited)
    }

    fn before(request: Request) -> Round {
        Round { before: vec![request], ..Round::default() }
    }

    fn lost_connection() -> Failure {
        let (url, reason) = ("redis://server".into(), "broken pipe".into());
        Failure::Connection(Error::RedisUnreachable { url, reason })
    }

    fn server_error() -> Reply {
        let reply = redis::parse_redis_value(b"-NOSCRIPT No matching script.\r\n");
        reply.unwrap_or_else(|error| panic!("{error}"))
    }

    fn judged(round: Round, replies: Vec<Reply>, failure: fn() -> Failure) -> Vec<Effect> {
        deliver(round, replies, |_| failure(), now())
    }

    fn effects(round: Round, replies: Vec<Reply>) -> Vec<Effect> {
        judged(round, replies, || panic!("no reply is an error"))
    }

    /// The names of effects, in order.
    fn names(effects: &[Effect]) -> Vec<&'static str> {
        let name = |effect: &Effect| match effect {
            Effect::Found(Finding::Registered(_)) => "registered",
            Effect::Found(Finding::Left(_)) => "left",
            Effect::Found(Finding::TurnGranted(..)) => "turn granted",
            Effect::Found(Finding::AlarmIs(_)) => "alarm is",
            Effect::Found(Finding::AlarmGone(_)) => "alarm gone",
            Effect::Found(Finding::ClaimWaits) => "claim waits",
            Effect::Found(Finding::SlotFree(_)) => "slot free",
            Effect::Found(Finding::Answer(_)) => "answer",
            Effect::Retry(_) => "retry",
            Effect::RetryWrites(_) => "retry writes",
            Effect::WritesCommitted { .. } => "writes committed",
            Effect::WritesFailed { .. } => "writes failed",
            Effect::Reconnect => "reconnect",
        };
        effects.iter().map(name).collect()
    }

    /// Hands the answers to the callers.
    fn hand_over_all(effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Found(Finding::Answer(delivery)) = effect {
                delivery.hand_over();
            }
        }
    }

    #[test]
    fn reads_behind_writes_that_have_to_wait_are_asked_again() {
        let (read, _caller) = get();
        let round = Round { batch: Some(batch()), after: vec![read], ..Round::default() };
        let replies = vec![words(&["wait", "5"]), Reply::Array(vec![text("old")])];
        assert_eq!(names(&effects(round, replies)), ["retry writes", "retry"]);
    }

    #[tokio::test]
    async fn reads_behind_committed_writes_are_answered() {
        let (read, caller) = get();
        let round = Round { batch: Some(batch()), after: vec![read], ..Round::default() };
        let replies = vec![words(&["ok", "old alarm", ""]), Reply::Array(vec![text("1")])];
        let effects = effects(round, replies);
        let expected = ["alarm gone", "slot free", "writes committed", "answer"];
        assert_eq!(names(&effects), expected);
        hand_over_all(effects);
        assert_eq!(caller.wait().await, Ok(vec![Some(Value::from(b"1".as_slice()))]));
    }

    #[test]
    fn an_attempt_is_registered_before_its_caller_has_the_answer() {
        let (caller, _awaited) = Awaited::new();
        let look = Look::new("attempt".into(), Vec::new(), true, caller);
        let round = before(Request::new(look, 0, soon()));
        let replies = vec![Reply::Array(vec![text("ok"), text("3"), Reply::Nil])];
        assert_eq!(names(&effects(round, replies)), ["registered", "answer"]);
    }

    #[tokio::test]
    async fn a_commit_that_has_lost_leaves_and_frees_its_slot() {
        let (request, caller) = commit();
        let effects = effects(before(request), vec![words(&["lost", "key \"a\""])]);
        assert_eq!(names(&effects), ["slot free", "answer", "left"]);
        hand_over_all(effects);
        assert_eq!(caller.wait().await, Ok(CommitReply::Lost("key \"a\"".into())));
    }

    #[test]
    fn a_script_that_the_server_does_not_know_is_sent_as_text_once() {
        let (request, _caller) = commit();
        let unknown = || Failure::UnknownScript;
        let mut first = judged(before(request), vec![server_error()], unknown);
        let Some(Effect::Retry(request)) = first.pop() else { panic!("it is sent again") };
        assert!(request.whole && request.not_before.is_none());
        let second = judged(before(request), vec![server_error()], unknown);
        assert_eq!(names(&second), ["slot free", "answer"]);
    }

    #[test]
    fn a_reply_that_tells_of_a_lost_connection_makes_a_new_one() {
        let (request, _caller) = commit();
        let round = Round { batch: Some(batch()), ..before(request) };
        let effects = judged(round, vec![server_error(), server_error()], lost_connection);
        assert_eq!(names(&effects), ["reconnect", "retry", "reconnect", "retry writes"]);
    }

    #[tokio::test]
    async fn what_was_sent_without_a_reply_is_in_doubt_and_sent_again_until_its_deadline() {
        let (request, caller) = commit();
        let mut first = postpone(before(request), &lost_connection(), 0, now());
        let Some(Effect::Retry(mut request)) = first.pop() else { panic!("it is sent again") };
        assert!(request.is_in_doubt() && request.not_before.is_some());
        request.deadline = now();
        let last = postpone(before(request), &lost_connection(), 1, soon());
        assert_eq!(names(&last), ["slot free", "answer"]);
        hand_over_all(last);
        assert!(matches!(caller.wait().await, Err(Error::RedisUnknownOutcome { .. })));
    }
}
