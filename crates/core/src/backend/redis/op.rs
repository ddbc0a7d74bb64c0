//! What is asked of the server about one object, apart from its plain writes.

use std::sync::Arc;

use redis::{Cmd, Value as Answer};
use tokio::time::{Duration, Instant};

use super::batch::Reply;
use super::commit::{self, Committer, Outcome, Stamp, WAIT_LEASE_MS, bounds};
use super::names::ObjectNames;
use super::reply::{entries, text, time, value, words};
use super::script::{ALARM_DONE, LEAVE, LIST, LuaScript, READ, RENEW, TAKE_ALARM, TURN};
use crate::backend::Ticket;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::range::Scan;
use crate::transaction::Footprint;
use crate::transaction::turn::TURN_LEASE;
use crate::write::{AlarmWrite, WriteBatch};

/// How long an attempt is remembered without a sign of life.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// Most entries of a page of a list.
const PAGE_ENTRIES_MAX: usize = 1000;
/// About the most bytes of a page of a list.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// How long to wait at most before asking again for a turn, or whether a turn has ended.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// What a read of an attempt gave, or what made the attempt lose.
pub(super) type Seen<T> = std::result::Result<T, String>;

/// One page of a list.
pub(super) struct Page {
    /// Its entries.
    pub(super) entries: Vec<Entry>,
    /// Whether more may follow.
    pub(super) more: bool,
}

/// What became of a due alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is ours to handle; so was one of that name before, whose handling counts as ended.
    Ours(Option<String>),
    /// Somebody else handles it.
    Others,
    /// It is not due: the alarm that is set, if any.
    NotDue(Option<i64>),
}

/// One question.
pub(super) enum Kind {
    /// Reads keys of the newest state, for several who ask.
    Get { keys: Vec<Key>, shares: Vec<GetShare> },
    /// Reads the alarm of the newest state.
    Alarm { reply: Reply<Option<i64>> },
    /// Reads as an attempt may.
    Look { who: Arc<str>, keys: Vec<Key>, alarm: bool, shares: Vec<LookShare> },
    /// Lists as an attempt may. `lazy` registers it only if the list has another page.
    List { who: Arc<str>, lazy: bool, scan: Scan, reply: Reply<Seen<Page>> },
    /// Ends an attempt, or writes out of a turn.
    Commit(Box<Commit>),
    /// Asks for a turn, and starts the attempt.
    Turn { who: Arc<str>, reply: Reply<()> },
    /// Ends attempts that do not commit.
    Leave { who: Arc<str> },
    /// Extends leases.
    Renew { who: Vec<Arc<str>>, claim: Option<String> },
    /// Claims the alarm if it is due.
    TakeAlarm { due_ms: i64, claim: String, reply: Reply<Taken> },
    /// Ends the handling of an alarm.
    AlarmDone { claim: String, reply: Reply<String> },
}

/// One who asks for keys: how many of them, and where the values go.
pub(super) struct GetShare {
    /// How many of the keys are asked for, after those of the shares before.
    pub(super) count: usize,
    /// Where the values go.
    pub(super) reply: Reply<Vec<Option<Value>>>,
}

/// One read of an attempt.
pub(super) struct LookShare {
    /// How many of the keys are asked for, after those of the shares before.
    pub(super) count: usize,
    /// Where the values and the alarm go.
    pub(super) reply: Reply<Seen<Looked>>,
}

/// What an attempt has read at once.
pub(super) struct Looked {
    /// The values, in the order of the keys.
    pub(super) values: Vec<Option<Value>>,
    /// The alarm, if it was asked for.
    pub(super) alarm: Option<i64>,
}

/// A commit that is not plain.
pub(super) struct Commit {
    /// The attempt that ends, or nothing.
    pub(super) who: Option<Arc<str>>,
    /// The turn it belongs to.
    pub(super) pass: Option<Arc<str>>,
    /// What was read.
    pub(super) footprint: Footprint,
    /// What is written.
    pub(super) writes: WriteBatch,
    /// Keys of which it is asked whether they exist.
    pub(super) asked: Vec<Key>,
    /// What makes it happen once.
    pub(super) stamp: Stamp,
    /// Where the outcome goes: `Wait` never.
    pub(super) reply: Reply<Outcome>,
}

impl Commit {
    /// The question that commits; it also asks which of the removed keys existed.
    pub(super) fn ask(
        who: Option<Arc<str>>,
        pass: Option<Arc<str>>,
        footprint: Footprint,
        writes: WriteBatch,
        reply: Reply<Outcome>,
    ) -> Kind {
        let removed = writes.entries().iter().filter(|(_, value)| value.is_none());
        let asked = removed.map(|(key, _)| key.clone()).collect();
        let stamp = Stamp::default();
        Kind::Commit(Box::new(Self { who, pass, footprint, writes, asked, stamp, reply }))
    }
}

/// A question on its way.
pub(super) struct Op {
    /// The plain writes that come before it.
    pub(super) barrier: Ticket,
    /// Until when to try.
    pub(super) deadline: Instant,
    /// Not before this.
    pub(super) not_before: Option<Instant>,
    /// How often a turn was not to be had.
    waits: u32,
    /// Whether to send the script itself.
    pub(super) whole: bool,
    /// The question.
    pub(super) kind: Kind,
}

/// How the way of a question goes on.
pub(super) enum Step {
    /// It is answered.
    Done,
    /// It is answered, and this attempt is registered.
    Registered(Arc<str>),
    /// It is answered, and this attempt is no longer known to the server.
    Left(Arc<str>),
    /// It has to be asked again.
    Again(Op),
}

/// Who asks.
pub(super) struct Asker<'a> {
    /// The keys of the object.
    pub(super) names: &'a ObjectNames,
    /// Name of this client.
    pub(super) client: &'a str,
}

impl Op {
    /// A question behind the plain writes up to `barrier`.
    pub(super) fn new(kind: Kind, barrier: Ticket, deadline: Instant) -> Self {
        Self { barrier, deadline, not_before: None, waits: 0, whole: false, kind }
    }

    /// Whether it changes nothing, so that it can be asked twice.
    pub(super) fn is_read(&self) -> bool {
        matches!(
            self.kind,
            Kind::Get { .. } | Kind::Alarm { .. } | Kind::Look { .. } | Kind::List { .. }
        )
    }

    /// Whether it is still done when the place closes before its turn has come.
    pub(super) fn is_done_at_close(&self) -> bool {
        !matches!(self.kind, Kind::Turn { .. } | Kind::TakeAlarm { .. })
    }

    /// The alarm that there is with this answer, if it tells.
    pub(super) fn alarm_after(&self, answer: &Answer) -> Option<AlarmWrite> {
        match &self.kind {
            Kind::Commit(commit) if commit::is(answer, "ok") => commit.writes.alarm(),
            Kind::TakeAlarm { .. } if commit::is(answer, "wait") => None,
            Kind::TakeAlarm { .. } => match taken(answer.clone()).ok()? {
                Taken::Ours(_) | Taken::Others => Some(None),
                Taken::NotDue(alarm) => Some(alarm),
            },
            _ => None,
        }
    }

    /// Whether it is asked for that attempt.
    pub(super) fn is_of(&self, attempt: &str) -> bool {
        match &self.kind {
            Kind::Look { who, .. } | Kind::List { who, .. } | Kind::Turn { who, .. } => {
                **who == *attempt
            }
            _ => false,
        }
    }

    /// Whether it ends that attempt.
    pub(super) fn ends(&self, attempt: &str) -> bool {
        match &self.kind {
            Kind::Commit(commit) => commit.who.as_deref() == Some(attempt),
            Kind::Leave { who } => **who == *attempt,
            _ => false,
        }
    }

    /// Whether it changes something, in the order of the calls: who belongs to a turn waits for nobody.
    pub(super) fn is_in_queue(&self) -> bool {
        match &self.kind {
            Kind::Commit(commit) => commit.pass.is_none() && !commit.writes.is_empty(),
            Kind::Turn { .. } | Kind::TakeAlarm { .. } => true,
            _ => false,
        }
    }

    /// Whether it has been told to wait for the turn of another.
    pub(super) fn waits_for_turn(&self) -> bool {
        self.waits > 0 && !self.is_in_doubt()
    }

    /// It waits behind another one of the queue: it asks at once when that is done.
    pub(super) fn hold(&mut self) {
        if self.waits_for_turn() {
            self.waits = 0;
            self.not_before = None;
        }
    }

    /// A turn has ended: it may ask again.
    pub(super) fn hurry(&mut self) {
        if self.waits_for_turn() {
            self.not_before = None;
        }
    }

    /// Whether it may have been applied.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(&self.kind, Kind::Commit(commit) if commit.stamp.in_doubt)
    }

    /// Makes one question of this and a later one behind the same writes, where both read in the same way;
    /// otherwise gives the later one back.
    pub(super) fn join(&mut self, later: Self) -> Option<Self> {
        match (&mut self.kind, later.kind) {
            (Kind::Get { keys, shares }, Kind::Get { keys: more, shares: others }) => {
                keys.extend(more);
                shares.extend(others);
            }
            (
                Kind::Look { who, keys, alarm, shares },
                Kind::Look { who: other, keys: more, alarm: also, shares: others },
            ) if *who == other => {
                keys.extend(more);
                *alarm |= also;
                shares.extend(others);
            }
            (_, kind) => return Some(Self { kind, ..later }),
        }
        self.deadline = self.deadline.min(later.deadline);
        None
    }

    /// The command. `registered` tells which attempts the server knows.
    pub(super) fn command(&self, by: &Asker<'_>, registered: impl Fn(&str) -> bool) -> Cmd {
        let names = by.names;
        let script = |script: &LuaScript| {
            let mut cmd = script.call(self.whole);
            cmd.arg(names.all().len()).arg(names.all());
            cmd
        };
        let known = |who: &str| u8::from(registered(who));
        let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        match &self.kind {
            Kind::Get { keys, .. } => {
                let mut cmd = redis::cmd("HMGET");
                cmd.arg(names.values());
                for key in keys {
                    cmd.arg(&**key);
                }
                cmd
            }
            Kind::Alarm { .. } => {
                let mut cmd = redis::cmd("HGET");
                cmd.arg(names.meta()).arg("alarm");
                cmd
            }
            Kind::Look { who, keys, alarm, .. } => {
                let mut cmd = script(&READ);
                cmd.arg(&**who).arg(known(who)).arg(lease_ms).arg(u8::from(*alarm));
                for key in keys {
                    cmd.arg(&**key);
                }
                cmd
            }
            Kind::List { who, lazy, scan, .. } => {
                let (min, max) = bounds(&scan.range);
                let mut cmd = script(&LIST);
                cmd.arg(&**who);
                if *lazy {
                    cmd.arg("lazy");
                } else {
                    cmd.arg(known(who));
                }
                cmd.arg(lease_ms).arg(min).arg(max).arg(u8::from(scan.reverse));
                match scan.limit {
                    Some(limit) => cmd.arg(limit),
                    None => cmd.arg(-1),
                };
                cmd.arg(PAGE_ENTRIES_MAX).arg(PAGE_BYTES_MAX);
                cmd
            }
            Kind::Commit(asked) => {
                let committer = Committer {
                    names,
                    client: by.client,
                    pass: asked.pass.as_deref().unwrap_or_default(),
                    attempt: asked.who.as_deref().unwrap_or_default(),
                };
                commit::command(
                    &committer,
                    &asked.stamp,
                    &asked.footprint,
                    &asked.writes,
                    &asked.asked,
                )
            }
            Kind::Turn { who, .. } => {
                let turn_ms = u64::try_from(TURN_LEASE.as_millis()).unwrap_or(u64::MAX);
                let mut cmd = script(&TURN);
                cmd.arg(&**who).arg(turn_ms).arg(lease_ms).arg(WAIT_LEASE_MS);
                cmd
            }
            Kind::Leave { who } => {
                let mut cmd = script(&LEAVE);
                cmd.arg(&**who);
                cmd
            }
            Kind::Renew { who, claim } => {
                let mut cmd = script(&RENEW);
                cmd.arg(lease_ms).arg(claim.as_deref().unwrap_or_default());
                for who in who {
                    cmd.arg(&**who);
                }
                cmd
            }
            Kind::TakeAlarm { due_ms, claim, .. } => {
                let mut cmd = script(&TAKE_ALARM);
                cmd.arg(*due_ms).arg(claim).arg(by.client).arg(lease_ms).arg(WAIT_LEASE_MS);
                cmd
            }
            Kind::AlarmDone { claim, .. } => {
                let mut cmd = script(&ALARM_DONE);
                cmd.arg(claim);
                cmd
            }
        }
    }

    /// Takes the answer of the server.
    pub(super) fn answered(mut self, answer: Answer, now: Instant) -> Step {
        match self.kind {
            Kind::Get { shares, .. } => {
                let values = words(answer)
                    .and_then(|words| words.into_iter().map(value).collect::<Result<Vec<_>>>());
                let mut values = values.map(Vec::into_iter);
                for GetShare { count, reply } in shares {
                    let share = values.as_mut().map(|values| values.take(count).collect());
                    let _ = reply.send(share.map_err(|error| error.clone()));
                }
                Step::Done
            }
            Kind::Alarm { reply } => done(reply, time(answer)),
            Kind::Look { who, shares, .. } => {
                let mut seen = looked(answer);
                let registered = matches!(seen, Ok(Ok(_)));
                for LookShare { count, reply } in shares {
                    let share = match &mut seen {
                        Ok(Ok((values, alarm))) => {
                            let values = values.by_ref().take(count).collect();
                            Ok(Ok(Looked { values, alarm: *alarm }))
                        }
                        Ok(Err(what)) => Ok(Err(what.clone())),
                        Err(error) => Err(error.clone()),
                    };
                    let _ = reply.send(share);
                }
                if registered { Step::Registered(who) } else { Step::Done }
            }
            Kind::List { who, reply, .. } => {
                let page = page(answer);
                let registered = matches!(page, Ok((true, Ok(_))));
                let _ = reply.send(page.map(|(_, page)| page));
                if registered { Step::Registered(who) } else { Step::Done }
            }
            Kind::Commit(commit) => match commit::outcome(answer) {
                Ok(Outcome::Wait) => {
                    self.kind = Kind::Commit(commit);
                    self.again(now)
                }
                outcome => {
                    let who = commit.who.clone();
                    let _ = commit.reply.send(outcome);
                    who.map_or(Step::Done, Step::Left)
                }
            },
            Kind::Turn { who, reply } => match words(answer).and_then(|words| first(&words)) {
                Ok(word) if word == "wait" => {
                    if reply.is_closed() {
                        return Step::Left(who);
                    }
                    self.kind = Kind::Turn { who, reply };
                    self.again(now)
                }
                Ok(_) => {
                    if reply.send(Ok(())).is_ok() {
                        return Step::Registered(who);
                    }
                    // Nobody wants the turn any more.
                    self.kind = Kind::Leave { who };
                    Step::Again(self)
                }
                Err(error) => done(reply, Err(error)),
            },
            Kind::Leave { who } => Step::Left(who),
            Kind::Renew { .. } => Step::Done,
            Kind::TakeAlarm { due_ms, claim, reply } => {
                if commit::is(&answer, "wait") {
                    self.kind = Kind::TakeAlarm { due_ms, claim, reply };
                    return self.again(now);
                }
                done(reply, taken(answer))
            }
            Kind::AlarmDone { reply, .. } => {
                done(reply, words(answer).and_then(|words| text(words.into_iter().nth(1))))
            }
        }
    }

    /// Asks again a little later, each time later than before. Waiting for a turn is no failure, so that it
    /// does not come nearer to the deadline.
    fn again(mut self, now: Instant) -> Step {
        let delay = Duration::from_millis(1 << self.waits.min(5)).min(WAIT_MAX);
        self.waits += 1;
        self.not_before = Some(now + delay);
        self.deadline += delay;
        Step::Again(self)
    }

    /// Gives up.
    pub(super) fn fail(self, error: &Error) {
        let error = error.clone();
        match self.kind {
            Kind::Get { shares, .. } => {
                for share in shares {
                    let _ = share.reply.send(Err(error.clone()));
                }
            }
            Kind::Look { shares, .. } => {
                for share in shares {
                    let _ = share.reply.send(Err(error.clone()));
                }
            }
            Kind::Alarm { reply } => drop(reply.send(Err(error))),
            Kind::List { reply, .. } => drop(reply.send(Err(error))),
            Kind::Commit(commit) => drop(commit.reply.send(Err(error))),
            Kind::Turn { reply, .. } => drop(reply.send(Err(error))),
            Kind::Leave { .. } | Kind::Renew { .. } => {}
            Kind::TakeAlarm { reply, .. } => drop(reply.send(Err(error))),
            Kind::AlarmDone { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Nobody is left to be told if the receiver is gone.
fn done<T>(reply: Reply<T>, result: Result<T>) -> Step {
    let _ = reply.send(result);
    Step::Done
}

fn first(words: &[Answer]) -> Result<String> {
    text(words.first().cloned())
}

/// The values, and the alarm.
type LookedAt = (std::vec::IntoIter<Option<Value>>, Option<i64>);

fn looked(answer: Answer) -> Result<Seen<LookedAt>> {
    let words = words(answer)?;
    if first(&words)? == "stale" {
        return Ok(Err(text(words.into_iter().nth(1))?));
    }
    let mut words = words.into_iter().skip(2);
    let alarm = words.next().map(time).transpose()?.flatten();
    let values: Vec<_> = words.map(value).collect::<Result<_>>()?;
    Ok(Ok((values.into_iter(), alarm)))
}

/// Whether the attempt is registered, and the page.
fn page(answer: Answer) -> Result<(bool, Seen<Page>)> {
    let words = words(answer)?;
    if first(&words)? == "stale" {
        return Ok((false, Err(text(words.into_iter().nth(1))?)));
    }
    let mut words = words.into_iter().skip(1);
    let registered = !text(words.next())?.is_empty();
    let more = text(words.next())? == "1";
    Ok((registered, Ok(Page { entries: entries(words)?, more })))
}

fn taken(answer: Answer) -> Result<Taken> {
    let words = words(answer)?;
    Ok(match &*first(&words)? {
        "taken" => {
            let before = text(words.into_iter().nth(1))?;
            Taken::Ours((!before.is_empty()).then_some(before))
        }
        "claimed" => Taken::Others,
        _ => Taken::NotDue(words.into_iter().nth(1).map(time).transpose()?.flatten()),
    })
}
