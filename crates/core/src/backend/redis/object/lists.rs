//! Lists a range page by page: the newest state as it is at one moment, or what an attempt sees.

use std::sync::Arc;

use super::handle::RedisObject;
use super::reads::{barrier, read_result};
use crate::answer::Answer;
use crate::backend::redis::requests::awaited::{Awaited, Caller};
use crate::backend::redis::requests::list::{List, Page};
use crate::backend::redis::requests::question::{AttemptName, ReadReply};
use crate::backend::redis::requests::turn::TakeTurn;
use crate::backend::redis::sending::driver::Driver;
use crate::backend::{ReadResult, Start};
use crate::concurrency::TransactionId;
use crate::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, successor};
use crate::merge::merge;
use crate::range::Scan;

impl RedisObject {
    /// Lists the newest state.
    pub(crate) fn list_latest(
        &self,
        scan: Scan,
        issued_by: Option<TransactionId>,
    ) -> Answer<ReadResult<Vec<Entry>>> {
        let mut state = match self.driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let gathering = state.writes.gathering();
        let newer = gathering.map(|batch| batch.writes.entries_in(&scan.range)).unwrap_or_default();
        if gathering.is_some_and(|batch| batch.writes.clears()) {
            return Answer::Now(Ok(ReadResult::Value(merge(Vec::new(), newer, &scan))));
        }
        let wide = scan.widened(newer.len());
        let barrier = barrier(&mut state, issued_by);
        let name = AttemptName::from(self.driver.shared.new_name());
        let first = self.driver.ask(state, barrier, list(name.clone(), wide.clone(), true));
        let driver = self.driver.clone();
        Answer::later(async move {
            let entries = list_at_one_moment(&driver, name, wide, first).await?;
            Ok(ReadResult::Value(merge(entries, newer, &scan)))
        })
    }

    /// Lists what an attempt sees.
    pub(crate) fn list_since(&self, scan: Scan, start: Start) -> Answer<ReadResult<Vec<Entry>>> {
        let state = match self.driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (name, barrier) = (running.name.clone(), running.barrier);
        let first = self.driver.ask(state, barrier, list(name.clone(), scan.clone(), false));
        let driver = self.driver.clone();
        Answer::later(async move {
            let listed = read_pages(&driver, &name, scan, first).await?;
            read_result(&Arc::downgrade(&driver), start, listed)
        })
    }
}

/// Asks for a page. With `lazy`, the attempt is registered only if another page follows.
fn list(
    attempt: AttemptName,
    scan: Scan,
    lazy: bool,
) -> impl FnOnce(Caller<ReadReply<Page>>) -> List {
    move |caller| List { attempt, lazy, scan, caller }
}

/// Lists in an attempt of its own, named `name`. A list of several pages that is overtaken by writes is made again, and
/// in the end with a turn.
async fn list_at_one_moment(
    driver: &Driver,
    mut name: AttemptName,
    scan: Scan,
    mut first: Awaited<ReadReply<Page>>,
) -> Result<Vec<Entry>> {
    for attempt in 1.. {
        let listed = read_pages(driver, &name, scan.clone(), first).await;
        end_list(driver, &name, matches!(listed, Ok(ReadReply::Value(_))));
        if let ReadReply::Value(entries) = listed? {
            return Ok(entries);
        }
        name = driver.shared.new_name().into();
        if attempt >= OPTIMISTIC_ATTEMPTS_MAX {
            let attempt = name.clone();
            let turn = driver.ask_now(driver.state()?, |caller| TakeTurn { attempt, caller });
            turn.wait().await?;
        }
        first = driver.ask_now(driver.state()?, list(name.clone(), scan.clone(), true));
    }
    Err(Error::Internal("a list was never made".into()))
}

/// Ends the attempt of a list. The server knows it if the list has several pages, and may know it if the list failed.
fn end_list(driver: &Driver, name: &AttemptName, is_complete: bool) {
    let Ok(mut state) = driver.state() else {
        return;
    };
    if !is_complete || state.registered.contains(name) {
        state.leave(name.clone(), driver.deadline());
        drop(state);
        driver.send();
    }
}

/// Reads all pages of a list. If another page follows the first one, the first one has registered the attempt.
async fn read_pages(
    driver: &Driver,
    attempt: &AttemptName,
    mut scan: Scan,
    first: Awaited<ReadReply<Page>>,
) -> Result<ReadReply<Vec<Entry>>> {
    let mut entries = Vec::new();
    let mut page = first;
    loop {
        let Page { entries: found, more } = match page.wait().await? {
            ReadReply::Value(page) => page,
            ReadReply::Conflict(what) => return Ok(ReadReply::Conflict(what)),
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
            return Ok(ReadReply::Value(entries));
        }
        // The last page counts only if nothing was written since the first one either.
        page = driver.ask_now(driver.state()?, list(attempt.clone(), scan.clone(), false));
    }
}
