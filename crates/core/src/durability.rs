//! Knows which writes of an object are durable.

use tokio::sync::watch;

use crate::answer::Answer;
use crate::error::{Error, Result};

/// The ticket of a write: 0 if it is durable already, else what [`crate::backend::ObjectStorage::durable`] waits for.
pub type Ticket = u64;

/// How far the writes of one object are durable, across all its tables.
///
/// Tickets are given out in order and settle in order: each becomes durable or fails.
#[derive(Debug)]
pub struct Durability {
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Debug, Default)]
struct Progress {
    /// Tickets up to this one have settled.
    settled: Ticket,
    /// The failed ones among these tickets, in ranges: first, last, why. They are few, because each has cost an open
    /// table.
    failures: Vec<(Ticket, Ticket, Error)>,
}

impl Default for Durability {
    fn default() -> Self {
        Self { progress: watch::Sender::new(Progress::default()) }
    }
}

impl Durability {
    /// The ticket after the last one that has settled.
    pub fn next_ticket(&self) -> Ticket {
        self.progress.borrow().settled + 1
    }

    /// Writes up to `ticket` are durable.
    pub fn confirm(&self, ticket: Ticket) {
        self.progress.send_if_modified(|progress| {
            let newer = ticket > progress.settled;
            progress.settled = progress.settled.max(ticket);
            newer
        });
    }

    /// Writes after the last settled ticket and up to `ticket` are lost.
    pub fn fail(&self, ticket: Ticket, error: &Error) {
        self.progress.send_modify(|progress| {
            if ticket > progress.settled {
                progress.failures.push((progress.settled + 1, ticket, error.clone()));
                progress.settled = ticket;
            }
        });
    }

    /// `ticket`, or 0 if it has settled.
    pub fn pending(&self, ticket: Ticket) -> Ticket {
        if ticket > self.progress.borrow().settled { ticket } else { 0 }
    }

    /// Waits until `ticket` has settled. 0 has settled from the start.
    pub fn wait(&self, ticket: Ticket) -> Answer<()> {
        if let Some(result) = self.progress.borrow().result(ticket) {
            return Answer::Now(result);
        }
        let mut receiver = self.progress.subscribe();
        Answer::later(async move {
            let progress = receiver.wait_for(|progress| progress.settled >= ticket).await;
            let result = progress.map(|progress| progress.result(ticket));
            result.ok().flatten().unwrap_or(Err(Error::Closed))
        })
    }
}

impl Progress {
    fn result(&self, ticket: Ticket) -> Option<Result<()>> {
        if ticket > self.settled {
            return None;
        }
        let failure =
            self.failures.iter().find(|(first, last, _)| (*first..=*last).contains(&ticket));
        Some(failure.map_or(Ok(()), |(_, _, error)| Err(error.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tickets_settle_in_order_and_failures_are_remembered() {
        let durability = Durability::default();
        assert!(durability.wait(0).wait().await.is_ok());
        let first = durability.wait(1);
        durability.confirm(1);
        assert!(first.wait().await.is_ok());
        let second = durability.wait(2);
        durability.fail(3, &Error::Closed);
        durability.confirm(4);
        assert_eq!(second.wait().await, Err(Error::Closed));
        assert_eq!(durability.wait(3).wait().await, Err(Error::Closed));
        assert!(durability.wait(4).wait().await.is_ok());
        assert_eq!(durability.next_ticket(), 5);
    }
}
