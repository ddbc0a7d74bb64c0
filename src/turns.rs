//! The writes of one turn of the event loop: taking them back, ending their batch, waiting until they are durable.

use std::sync::atomic::{AtomicU64, Ordering};

use ferroflare_core::Answer;
use napi::Env;
use napi_derive::napi;

use crate::arguments::whole;
use crate::codes::number;
use crate::completions::Reply;
use crate::object::{ObjectHandle, OpenObject};

/// Names turns across all objects of the process.
static NEXT_TURN: AtomicU64 = AtomicU64::new(1);

#[napi]
impl ObjectHandle {
    /// Plain writes through this handle may be taken back from now on, until `endTurn()`.
    #[napi(catch_unwind)]
    pub fn begin_turn(&self) {
        self.turn.set(Some(NEXT_TURN.fetch_add(1, Ordering::Relaxed)));
    }

    /// The writes since `beginTurn()` stay.
    #[napi(catch_unwind)]
    pub fn end_turn(&self) {
        if let Some(turn) = self.turn.take() {
            self.object.end_turn(turn);
        }
    }

    /// Takes back the plain writes through this handle since `beginTurn()`; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn undo(&self, env: Env) -> napi::Result<f64> {
        // What SQL has written needs no turn.
        let turn = self.turn.take().or_else(|| self.sql.is_open().then_some(0));
        let undone = match turn {
            Some(turn) => self.object.undo(turn),
            None => Answer::Now(Ok(())),
        };
        self.completions.reply(env, &mut [], undone, |()| Reply::Number(0.0))
    }

    /// The ticket of the newest write that a read may have seen; 0 if that write is durable.
    #[napi(catch_unwind)]
    pub fn pending_ticket(&self) -> f64 {
        number(self.object.pending_ticket())
    }

    /// Waits for a write: 0 when it is durable, or a ticket.
    #[napi(catch_unwind)]
    pub fn durable(&self, env: Env, ticket: f64) -> napi::Result<f64> {
        let answer = self.object.durable(whole(ticket) as u64);
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// Ends the atomic batch of the writes of this turn of the event loop.
    #[napi(catch_unwind)]
    pub fn seal(&self) {
        self.unsealed.store(false, Ordering::Relaxed);
        self.object.seal();
    }
}

/// A thread that is terminated in the middle of a turn of the event loop seals nothing any more. Other users must not wait
/// for it.
impl Drop for OpenObject {
    fn drop(&mut self) {
        if self.unsealed.load(Ordering::Relaxed) {
            self.object.seal();
        }
    }
}
