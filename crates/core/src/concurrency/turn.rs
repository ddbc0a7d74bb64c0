//! The exclusive turn of an attempt, and the jobs that wait for its end.
//!
//! An attempt whose transaction has lost a few times takes a *turn*. Until the attempt ends, every other commit of the
//! object waits in order, so that nothing can make it lose again. A plain read waits only behind waiting writes, so that
//! each caller sees its own writes in program order.
//!
//! States: free -> held (`take`) -> free (`release`, or `expire` when the lease has run out). Waiting jobs run in order
//! whenever the turn is free. A waiting job may take the turn again.

use std::collections::VecDeque;
use std::time::Duration;

use super::TransactionId;

/// Attempts of a transaction that run beside other commits, before one takes a turn.
pub const OPTIMISTIC_ATTEMPTS_MAX: u32 = 3;

/// How long a turn lasts at most. That is longer than any sane closure. It also ends a deadlock between a closure and
/// something that the closure awaits and that waits for the turn.
pub const TURN_LEASE: Duration = Duration::from_secs(10);

/// What a caller wants to do, as turns see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Read the newest state, or start an optimistic attempt on it.
    Read,
    /// Go on reading in a running attempt.
    Resume,
    /// Commit something, or take a turn.
    Write,
}

/// The turn of one object and the jobs that wait for its end.
pub struct Turn<Job> {
    holder: Option<TransactionId>,
    /// Attempts that the holder's closure issued: they may do what the holder may.
    guests: Vec<TransactionId>,
    /// Counts turns, so that an old lease cannot end a newer turn.
    number: u64,
    waiting: VecDeque<Job>,
}

impl<Job> Default for Turn<Job> {
    fn default() -> Self {
        Self { holder: None, guests: Vec::new(), number: 0, waiting: VecDeque::new() }
    }
}

impl<Job> Turn<Job> {
    /// Whether an operation that `issued_by` issued may run now.
    pub fn admits(&self, issued_by: Option<TransactionId>, intent: Intent) -> bool {
        match (self.holder, intent) {
            (None, _) | (_, Intent::Resume) => true,
            (Some(_), _) if issued_by.is_some_and(|issued_by| self.includes(issued_by)) => true,
            (Some(_), Intent::Read) => self.waiting.is_empty(),
            (Some(_), Intent::Write) => false,
        }
    }

    /// Queues a job until the turn is free. Returns the number of the turn that it waits for.
    pub fn wait(&mut self, job: Job) -> u64 {
        self.waiting.push_back(job);
        self.number
    }

    /// Takes the turn, which must be free.
    pub fn take(&mut self, id: TransactionId) {
        debug_assert!(self.holder.is_none(), "a turn is taken only while it is free");
        self.holder = Some(id);
        self.number += 1;
    }

    /// Lets an attempt that the holder's closure issued share the turn.
    pub fn join(&mut self, id: TransactionId) {
        self.guests.push(id);
    }

    /// Whether `id` holds the turn or shares it.
    pub fn includes(&self, id: TransactionId) -> bool {
        self.is_held_by(id) || self.guests.contains(&id)
    }

    /// Whether `id` holds the turn.
    pub fn is_held_by(&self, id: TransactionId) -> bool {
        self.holder == Some(id)
    }

    /// The number of the current or last turn.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Ends the turn, and returns the jobs that wait.
    pub fn into_jobs(self) -> impl Iterator<Item = Job> {
        self.waiting.into_iter()
    }

    /// The number of the current turn, if it is held.
    pub fn held_number(&self) -> Option<u64> {
        self.holder.map(|_| self.number)
    }

    /// Whether a job waits.
    pub fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives the turn back, if `id` holds it.
    pub fn release(&mut self, id: TransactionId) {
        if self.is_held_by(id) {
            self.holder = None;
            self.guests.clear();
        }
    }

    /// Ends turn `number` because its lease has run out. Its holder continues as an ordinary attempt.
    pub fn expire(&mut self, number: u64) {
        if self.number == number {
            self.holder = None;
            self.guests.clear();
        }
    }

    /// Puts a job back to the front of the queue.
    pub fn put_back(&mut self, job: Job) {
        self.waiting.push_front(job);
    }

    /// The next job that may run; `None` while the turn is held.
    pub fn next_job(&mut self) -> Option<Job> {
        if self.holder.is_some() { None } else { self.waiting.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_changes_things_during_its_turn() {
        let mut turn = Turn::<()>::default();
        assert!(turn.admits(None, Intent::Write));
        turn.take(7);
        assert!(turn.admits(Some(7), Intent::Write));
        assert!(!turn.admits(None, Intent::Write));
        assert!(!turn.admits(Some(8), Intent::Write));
        assert!(turn.admits(Some(8), Intent::Resume));
    }

    #[test]
    fn looking_waits_only_behind_waiting_changes() {
        let mut turn = Turn::default();
        turn.take(7);
        assert!(turn.admits(None, Intent::Read));
        turn.wait("put");
        assert!(!turn.admits(None, Intent::Read));
        turn.release(7);
        assert_eq!(turn.next_job(), Some("put"));
        assert!(turn.admits(None, Intent::Read));
    }

    #[test]
    fn jobs_run_in_order_until_one_takes_the_next_turn() {
        let mut turn = Turn::default();
        turn.take(1);
        turn.wait("take");
        turn.wait("put");
        turn.release(1);
        assert_eq!(turn.next_job(), Some("take"));
        turn.take(2);
        assert_eq!(turn.next_job(), None);
        turn.release(2);
        assert_eq!(turn.next_job(), Some("put"));
        assert_eq!(turn.next_job(), None);
    }

    #[test]
    fn an_old_lease_does_not_end_a_newer_turn() {
        let mut turn = Turn::default();
        turn.take(1);
        let first = turn.wait(());
        turn.release(1);
        turn.next_job();
        turn.take(2);
        turn.expire(first);
        assert!(turn.is_held_by(2));
        turn.expire(first + 1);
        assert!(!turn.is_held_by(2));
    }
}
