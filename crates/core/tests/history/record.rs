//! Records the transactions of many threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{End, Op, Transaction};

/// A history in the making. Its clock counts calls and answers.
#[derive(Default)]
pub(crate) struct Recorder {
    clock: AtomicU64,
    transactions: Mutex<Vec<Transaction>>,
}

impl Recorder {
    /// The time at which a transaction is asked for: call it before.
    pub(crate) fn invoke(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes what a transaction has done: call it after its answer.
    pub(crate) fn respond(&self, invoked: u64, ops: Vec<Op>, end: End) {
        let responded = self.clock.fetch_add(1, Ordering::SeqCst);
        let transaction = Transaction { ops, invoked, responded, end };
        self.transactions.lock().unwrap().push(transaction);
    }

    /// The whole history.
    pub(crate) fn finish(&self) -> Vec<Transaction> {
        std::mem::take(&mut self.transactions.lock().unwrap())
    }
}
