//! Sends the queued requests of one object. Each round carries everything that was queued while the previous one was
//! under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use redis::{Pipeline, Value as Reply};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::round::{Next, Round};
use super::state::State;
use crate::backend::redis::cork::Kick;
use crate::backend::redis::layout::ObjectNames;
use crate::backend::redis::registry::IndexEntries;
use crate::backend::redis::requests::awaited::{Awaited, Caller};
use crate::backend::redis::requests::request::{Request, RequestKind};
use crate::backend::redis::server::errors::Failure;
use crate::backend::redis::shared::Shared;
use crate::backend::{ClaimId, ObjectKey, Ticket};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::lock::lock;

/// What is queued for one object, and the task that sends it.
pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) key: ObjectKey,
    pub(crate) durability: Durability,
    names: ObjectNames,
    state: Mutex<State>,
    /// Wakes the task that sends.
    wake: Notify,
    /// Wakes callers of [`Self::wait_until_idle`].
    idle: Notify,
    this: Weak<Self>,
}

/// A round that is ready to be sent.
struct Ready {
    round: Box<Round>,
    commands: Pipeline,
    entries: IndexEntries,
    picked_at: Instant,
}

/// What became of a round.
pub(super) struct Sent {
    pub(super) round: Box<Round>,
    /// When the object was added to the index, if it was.
    pub(super) indexed_at: Option<Instant>,
    pub(super) replies: std::result::Result<Vec<Reply>, Failure>,
}

impl Driver {
    /// The driver of the object of that name and id.
    pub(crate) fn new(shared: Arc<Shared>, key: ObjectKey) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            names: ObjectNames::new(&key),
            shared,
            key,
            durability: Durability::default(),
            state: Mutex::default(),
            wake: Notify::new(),
            idle: Notify::new(),
            this: this.clone(),
        })
    }

    /// What waits, and what is known.
    pub(crate) fn state(&self) -> Result<MutexGuard<'_, State>> {
        lock(&self.state)
    }

    /// The state, unless the object takes no more operations.
    pub(crate) fn open(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state()?;
        match &state.ended {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }

    /// Until when to try what is asked now.
    pub(crate) fn deadline(&self) -> Instant {
        self.shared.connection.deadline()
    }

    /// Queues a request, which is sent now or at the end of this turn of the event loop. The answer comes later.
    pub(crate) fn ask<T, K: Into<RequestKind>>(
        &self,
        state: MutexGuard<'_, State>,
        barrier: Ticket,
        question: impl FnOnce(Caller<T>) -> K,
    ) -> Awaited<T> {
        let awaited = self.queue(state, barrier, question);
        let sender: Weak<dyn Kick> = self.this.clone();
        if !self.shared.cork.hold(&sender) {
            self.send();
        }
        awaited
    }

    /// Queues a request behind no plain writes, which is sent now. The answer comes later.
    pub(crate) fn ask_now<T, K: Into<RequestKind>>(
        &self,
        state: MutexGuard<'_, State>,
        question: impl FnOnce(Caller<T>) -> K,
    ) -> Awaited<T> {
        let awaited = self.queue(state, 0, question);
        self.send();
        awaited
    }

    fn queue<T, K: Into<RequestKind>>(
        &self,
        mut state: MutexGuard<'_, State>,
        barrier: Ticket,
        question: impl FnOnce(Caller<T>) -> K,
    ) -> Awaited<T> {
        let (caller, awaited) = Awaited::new();
        state.requests.push_back(Request::new(question(caller), barrier, self.deadline()));
        awaited
    }

    /// Sends what is queued, now.
    pub(crate) fn send(&self) {
        let Ok(mut state) = self.state() else {
            return;
        };
        let driven = std::mem::replace(&mut state.driven, true);
        // A task that is woken wants the lock at once.
        drop(state);
        if driven {
            self.wake.notify_one();
        } else if let Some(this) = self.this.upgrade() {
            self.shared.runtime.spawn(this.drive());
        }
    }

    /// Extends the leases of what still runs.
    pub(crate) fn renew(&self) {
        let name_of = |claim| self.shared.name_of(claim);
        let renewed = self.state().is_ok_and(|mut state| state.renew(self.deadline(), name_of));
        if renewed {
            self.send();
        }
    }

    /// A claim of the alarm has ended.
    pub(crate) fn end_claim(&self, claim: ClaimId) -> Result<()> {
        let mut state = self.state()?;
        if state.alarm_claim == Some(claim) {
            (state.alarm_claim, state.claim_waits) = (None, false);
            self.shared.alarms.release(&self.key)?;
        }
        Ok(())
    }

    /// Makes every later operation fail, and those that wait for a turn or an alarm. Earlier ones are done.
    pub(crate) fn retire(&self) {
        if let Ok(mut state) = self.state() {
            state.retire(self.deadline());
        }
        self.send();
    }

    /// Whether nothing is under way. After a panic, nothing is.
    pub(crate) fn is_idle(&self) -> bool {
        self.state().map_or(true, |state| state.is_idle())
    }

    /// Waits until nothing is under way.
    pub(crate) async fn wait_until_idle(&self) {
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            // What happens from here on wakes this caller.
            idle.as_mut().enable();
            if self.is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// Sends until nothing waits.
    async fn drive(self: Arc<Self>) {
        let _guard = PanicGuard(self.clone());
        loop {
            match self.next() {
                Next::Send(ready) => {
                    let sent = self.send_round(ready).await;
                    if self.finish(sent) {
                        self.shared.connection.reconnect().await;
                    }
                }
                Next::Wait(until) => {
                    // A new request may be ready before.
                    let _ = tokio::time::timeout_at(until, self.wake.notified()).await;
                }
                Next::Idle => {
                    self.idle.notify_waiters();
                    return;
                }
            }
        }
    }

    /// The next round, with its commands and the index entries that it needs.
    fn next(&self) -> Next<Ready> {
        let now = self.shared.now();
        let Ok(mut state) = self.state() else {
            return Next::Idle;
        };
        let mut round = match Round::pick(&mut state, now) {
            Next::Idle => return Next::Idle,
            Next::Wait(until) => return Next::Wait(until),
            Next::Send(round) => round,
        };
        let commands = round.commands(&mut state, &self.shared, &self.names);
        let entries = round.index_entries(state.indexed_at, now);
        Next::Send(Ready { round, commands, entries, picked_at: now })
    }

    /// Writes the index entries of a round, then sends it.
    async fn send_round(&self, ready: Ready) -> Sent {
        let Ready { round, commands, entries, picked_at } = ready;
        let registry = &self.shared.registry;
        let mut indexed_at = None;
        let add = async {
            if entries.object {
                registry.add_object(&self.key).await?;
                indexed_at = Some(picked_at);
            }
            for (time_ms, alarm) in &entries.alarms {
                registry.add_alarm(&self.key, *time_ms, alarm).await?;
            }
            Ok(())
        };
        let replies = match add.await {
            Ok(()) => self.shared.connection.send(&commands).await,
            Err(failure) => Err(Failure::unsent(failure)),
        };
        Sent { round, indexed_at, replies }
    }

    fn fail_all(&self, error: &Error) {
        // A panic may have left the lock poisoned.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fail_all(error, &self.durability);
        drop(state);
        self.idle.notify_waiters();
    }
}

impl Kick for Driver {
    fn kick(self: Arc<Self>) {
        self.send();
    }
}

/// Fails everything when the task that sends panics: no other task would answer what waits.
struct PanicGuard(Arc<Driver>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail_all(&Error::Internal("sending to Redis has panicked".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;

    use super::*;
    use crate::backend::redis::requests::read::GetAlarm;
    use crate::backend::redis::server::address::Address;
    use crate::backend::redis::server::connection::Connection;

    /// A driver whose server refuses connections.
    fn driver() -> Arc<Driver> {
        #[expect(clippy::disallowed_methods, reason = "a test is the caller that passes the time")]
        let clock = Instant::now;
        let address = Address::parse("redis://127.0.0.1:1", None).unwrap();
        let connection = Connection::new(address, clock);
        let shared = Shared::new(connection, "client".into(), Handle::current(), false, clock);
        Driver::new(Arc::new(shared), ObjectKey { name: "NAME".into(), id: "id".into() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_is_idle_when_the_last_caller_has_its_answer() {
        let driver = driver();
        let answer = driver.ask(driver.open().unwrap(), 0, |caller| GetAlarm { caller });
        driver.retire();
        assert!(!driver.is_idle());
        let idle = tokio::time::timeout(Duration::from_secs(60), driver.wait_until_idle());
        assert_eq!(idle.await, Ok(()));
        let answer = tokio::time::timeout(Duration::ZERO, answer.wait()).await;
        assert!(matches!(answer, Ok(Err(Error::RedisUnreachable { .. }))), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_whose_state_is_in_doubt_is_idle() {
        let driver = driver();
        let panicking = driver.clone();
        let panicked = thread::spawn(move || {
            let _state = panicking.state().unwrap();
            panic!("a test panics with the lock");
        });
        assert!(panicked.join().is_err());
        driver.retire();
        let idle = tokio::time::timeout(Duration::from_secs(60), driver.wait_until_idle());
        assert_eq!(idle.await, Ok(()));
    }
}
