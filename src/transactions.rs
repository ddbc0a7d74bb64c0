//! Transactions of one object: begin, retry, commit, end.

use std::sync::atomic::Ordering;

use ferroflare_core::backend::{CommitOutcome, Committed};
use ferroflare_core::transaction::Transaction;
use napi::Env;
use napi_derive::napi;

use crate::codes::{LOST, WRITE_UNIT, number};
use crate::completions::Reply;
use crate::error::thrown;
use crate::object::ObjectHandle;
use crate::scope::{Scope, transaction_number};

#[napi]
impl ObjectHandle {
    /// Begins a transaction, and names it.
    #[napi(catch_unwind)]
    pub fn begin(
        &self,
        env: Env,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let (id, transaction) = self.transactions.add(self.object.clone());
        self.completions.reply(env, &mut [], transaction.begin(scope.issued_by()), move |_| {
            Reply::Number(f64::from(id))
        })
    }

    /// Begins the next attempt of a transaction that has lost. Returns the number of the attempt if it
    /// runs alone, else 0.
    #[napi(catch_unwind)]
    pub fn retry(
        &self,
        env: Env,
        transaction: f64,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let transaction = self.named(env, transaction)?;
        let answer = transaction.begin(scope.issued_by());
        self.completions.reply(env, &mut [], answer, move |attempt| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a process starts fewer than 2^53 attempts"
            )]
            let alone = if transaction.has_turn() { attempt as f64 } else { 0.0 };
            Reply::Number(alone)
        })
    }

    /// Commits a transaction's attempt; with `discard` it only validates what the attempt has read.
    /// Returns a durability ticket times 256, or the code for lost.
    #[napi(catch_unwind)]
    pub fn commit(&self, env: Env, transaction: f64, discard: bool) -> napi::Result<f64> {
        let transaction = self.named(env, transaction)?;
        let unsealed = self.unsealed.clone();
        self.completions.reply(env, &mut [], transaction.commit(discard), move |outcome| {
            Reply::Number(match outcome {
                CommitOutcome::Committed(Committed { ticket, .. }) => {
                    unsealed.fetch_or(ticket > 0, Ordering::Relaxed);
                    number(ticket * WRITE_UNIT)
                }
                CommitOutcome::Lost(_) => LOST,
            })
        })
    }

    /// Forgets a transaction; an attempt that still runs ends without a trace.
    #[napi(catch_unwind)]
    pub fn end(&self, transaction: f64) {
        let ended = self.transactions.remove(transaction_number(transaction));
        if let Some(transaction) = ended {
            transaction.rollback();
        }
    }
}

impl ObjectHandle {
    fn named(&self, env: Env, transaction: f64) -> napi::Result<Transaction> {
        let found = self.transactions.get(transaction_number(transaction));
        found.map_err(|error| thrown(env, &error))
    }
}
