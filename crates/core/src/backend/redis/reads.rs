//! Reading an object: the newest state, or what an attempt sees.

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::batch::{Awaited, Effect};
use super::object::RedisObject;
use super::op::{GetShare, Kind, LookShare, Looked, Page, Seen};
use super::state::State;
use crate::answer::Answer;
use crate::backend::{Snapshot, Start, Ticket};
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value, successor};
use crate::lock::lock;
use crate::merge::merge;
use crate::range::Scan;
use crate::transaction::TransactionId;
use crate::transaction::transaction::OPTIMISTIC_ATTEMPTS_MAX;

impl RedisObject {
    /// The values of some keys as plain reads see them.
    pub(super) fn read_latest(
        &self,
        keys: Vec<Key>,
        origin: Option<TransactionId>,
    ) -> Answer<Snapshot<Vec<Option<Value>>>> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let mut found = vec![None; keys.len()];
        let mut missing = Vec::new();
        for (place, key) in keys.into_iter().enumerate() {
            match state.lane.gathering().map_or(Effect::None, |batch| batch.value(&key)) {
                Effect::Stored(value) => found[place] = Some(value),
                Effect::Removed => {}
                Effect::None => missing.push((place, key)),
            }
        }
        if missing.is_empty() {
            return Answer::Now(Ok(Snapshot::Fresh(found)));
        }
        let barrier = barrier(&mut state, origin);
        let (places, keys): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let count = keys.len();
        let read = self.ask(state, barrier, |reply| Kind::Get {
            keys,
            shares: vec![GetShare { count, reply }],
        });
        Answer::later(async move {
            for (place, value) in places.into_iter().zip(read.wait().await?) {
                found[place] = value;
            }
            Ok(Snapshot::Fresh(found))
        })
    }

    /// What an attempt sees of some keys and the alarm.
    pub(super) fn look(
        &self,
        start: Start,
        keys: Vec<Key>,
        alarm: bool,
    ) -> Answer<Snapshot<Looked>> {
        let state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (who, barrier, count) = (running.who.clone(), running.barrier, keys.len());
        let looked = self.ask(state, barrier, |reply| Kind::Look {
            who,
            keys,
            alarm,
            shares: vec![LookShare { count, reply }],
        });
        let this = self.this.clone();
        Answer::later(async move { snapshot(&this, start, looked.wait().await?) })
    }

    /// Lists page by page. `who` is an attempt, which the first page has registered if there is another one.
    async fn pages(
        self: Arc<Self>,
        who: Arc<str>,
        mut scan: Scan,
        first: Awaited<Seen<Page>>,
    ) -> Result<Seen<Vec<Entry>>> {
        let mut entries = Vec::new();
        let mut page = first.wait().await?;
        loop {
            let Page { entries: found, more } = match page {
                Ok(page) => page,
                Err(what) => return Ok(Err(what)),
            };
            if let Some(limit) = &mut scan.limit {
                *limit = limit.saturating_sub(found.len());
            }
            if let Some((last, _)) = found.last() {
                if scan.reverse {
                    scan.range.end = Some(last.clone());
                } else {
                    scan.range.start = Key::from(successor(last));
                }
            }
            entries.extend(found);
            if !more {
                return Ok(Ok(entries));
            }
            let (who, scan) = (who.clone(), scan.clone());
            let state = lock(&self.state)?;
            // The last page counts only if nothing was written since the first one either.
            let next = self.ask(state, 0, |reply| Kind::List { who, lazy: false, scan, reply });
            self.kick();
            page = next.wait().await?;
        }
    }

    /// Lists the newest state, as it is at one moment. A list of several pages that is overtaken by writes is
    /// made anew, and in the end with a turn.
    pub(super) fn list_latest(
        &self,
        scan: Scan,
        origin: Option<TransactionId>,
    ) -> Answer<Snapshot<Vec<Entry>>> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let gathering = state.lane.gathering();
        let newer = gathering.map(|batch| batch.writes.entries_in(&scan.range)).unwrap_or_default();
        if gathering.is_some_and(|batch| batch.writes.clears()) {
            return Answer::Now(Ok(Snapshot::Fresh(merge(Vec::new(), newer, &scan))));
        }
        let wide = scan.widened(newer.len());
        let barrier = barrier(&mut state, origin);
        let who: Arc<str> = self.place.new_name().into();
        let question = |who: &Arc<str>, lazy: bool| {
            let (who, scan) = (who.clone(), wide.clone());
            move |reply| Kind::List { who, lazy, scan, reply }
        };
        let mut first = self.ask(state, barrier, question(&who, true));
        let Some(this) = self.this.upgrade() else {
            return Answer::Now(Err(Error::Closed));
        };
        Answer::later(async move {
            let mut who = who;
            for attempt in 1.. {
                let listed = this.clone().pages(who.clone(), wide.clone(), first).await;
                if let Ok(mut state) = lock(&this.state)
                    && (state.registered.contains(&who) || !matches!(listed, Ok(Ok(_))))
                {
                    this.leave(&mut state, who.clone());
                    drop(state);
                    this.kick();
                }
                if let Ok(entries) = listed? {
                    return Ok(Snapshot::Fresh(merge(entries, newer, &scan)));
                }
                who = this.place.new_name().into();
                if attempt >= OPTIMISTIC_ATTEMPTS_MAX {
                    let turn = this
                        .ask(lock(&this.state)?, 0, |reply| Kind::Turn { who: who.clone(), reply });
                    this.kick();
                    turn.wait().await?;
                }
                let state = lock(&this.state)?;
                let (again, wide) = (who.clone(), wide.clone());
                let question =
                    move |reply| Kind::List { who: again, lazy: true, scan: wide, reply };
                first = this.ask(state, 0, question);
                this.kick();
            }
            Err(Error::Internal("a list was never made".into()))
        })
    }

    /// Lists what an attempt sees.
    pub(super) fn list_since(&self, scan: Scan, start: Start) -> Answer<Snapshot<Vec<Entry>>> {
        let (state, this) = match (self.open(), self.this.upgrade()) {
            (Ok(state), Some(this)) => (state, this),
            (Err(error), _) => return Answer::Now(Err(error)),
            (_, None) => return Answer::Now(Err(Error::Closed)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (who, barrier) = (running.who.clone(), running.barrier);
        let question =
            |who: Arc<str>, scan: Scan| move |reply| Kind::List { who, lazy: false, scan, reply };
        let first = self.ask(state, barrier, question(who.clone(), scan.clone()));
        let weak = self.this.clone();
        Answer::later(async move {
            let listed = this.pages(who, scan, first).await?;
            snapshot(&weak, start, listed)
        })
    }

    /// The alarm as plain reads see it.
    pub(super) fn alarm_latest(
        &self,
        origin: Option<TransactionId>,
    ) -> Answer<Snapshot<Option<i64>>> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(alarm) = state.lane.gathering().and_then(|batch| batch.writes.alarm()) {
            return Answer::Now(Ok(Snapshot::Fresh(alarm)));
        }
        let barrier = barrier(&mut state, origin);
        let read = self.ask(state, barrier, |reply| Kind::Alarm { reply });
        Answer::later(async move { read.wait().await.map(Snapshot::Fresh) })
    }
}

/// The plain writes that a read out of the closure of `origin` sees.
fn barrier(state: &mut State, origin: Option<TransactionId>) -> Ticket {
    // Writes that wait for the turn to end come after it.
    if state.pass(origin).is_some() { 0 } else { state.lane.barrier() }
}

fn snapshot<T>(this: &Weak<RedisObject>, start: Start, seen: Seen<T>) -> Result<Snapshot<T>> {
    match seen {
        Ok(found) => Ok(Snapshot::Fresh(found)),
        Err(what) => {
            let this = this.upgrade().ok_or(Error::Closed)?;
            let state = lock(&this.state)?;
            Ok(Snapshot::Stale(state.conflict(start.id, what, Instant::now())))
        }
    }
}
