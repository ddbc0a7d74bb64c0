//! The transactions that run, by the numbers that JavaScript calls them by.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use ferroflare_core::Error;
use ferroflare_core::backend::ObjectStorage;
use ferroflare_core::transaction::Transaction;

/// The transactions of one handle that have begun and have not ended, by number.
#[derive(Default)]
pub(crate) struct RunningTransactions {
    running: RefCell<HashMap<u32, Transaction>>,
    newest: Cell<u32>,
}

impl RunningTransactions {
    /// The transaction of that number.
    pub(crate) fn get(&self, id: u32) -> Result<Transaction, Error> {
        let found = self.running.borrow().get(&id).cloned();
        found.ok_or(Error::UnknownTransaction { id: id.into() })
    }

    /// Makes a transaction over `object`, and gives it a number.
    pub(crate) fn add(&self, object: Arc<dyn ObjectStorage>) -> (u32, Transaction) {
        let id = self.newest.get().wrapping_add(1).max(1);
        self.newest.set(id);
        let transaction = Transaction::new(object);
        self.running.borrow_mut().insert(id, transaction.clone());
        (id, transaction)
    }

    /// Takes out the transaction of that number.
    pub(crate) fn remove(&self, id: u32) -> Option<Transaction> {
        self.running.borrow_mut().remove(&id)
    }
}
