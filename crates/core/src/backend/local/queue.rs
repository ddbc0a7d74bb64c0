//! Operations that wait: for the table, or for the end of a turn.

use std::sync::Weak;

use tokio::sync::oneshot;

use super::object::LocalObject;
use super::state::{Job, Need, State};
use super::table::Table;
use crate::answer::Answer;
use crate::concurrency::TransactionId;
use crate::concurrency::turn::{Intent, TURN_LEASE};
use crate::error::{Error, Result};
use crate::lock::lock;

impl<T: Table> LocalObject<T> {
    /// Runs `work` now, or when the table is open and the turn of another attempt has ended. What `work` did stays done if
    /// the caller no longer waits for the answer.
    pub(super) fn perform<R: Send + 'static>(
        &self,
        issued_by: Option<TransactionId>,
        intent: Intent,
        need: Need,
        work: impl FnOnce(&mut State<T>) -> Result<R> + Send + 'static,
    ) -> Answer<R> {
        self.perform_or_undo(issued_by, intent, need, work, |_, _| ())
    }

    /// As [`Self::perform`], but `undo` gets the result of waiting work if the caller has left.
    pub(super) fn perform_or_undo<R: Send + 'static>(
        &self,
        issued_by: Option<TransactionId>,
        intent: Intent,
        need: Need,
        work: impl FnOnce(&mut State<T>) -> Result<R> + Send + 'static,
        undo: fn(&mut State<T>, R),
    ) -> Answer<R> {
        let mut state = match self.locked() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(error) = &state.ended {
            return Answer::Now(Err(error.clone()));
        }
        self.mark_used();
        if state.has_broken_table() {
            state.take_table();
        }
        let ready = self.is_ready(&state, need);
        if ready && state.admits(issued_by, intent) {
            let result = state.guarded(work);
            self.run_waiting(&mut state);
            return Answer::Now(result);
        }
        let (send, receive) = oneshot::channel();
        let run = Box::new(move |state: Result<&mut State<T>>| match state {
            Ok(state) => {
                let result = state.guarded(work);
                if let Err(Ok(unwanted)) = send.send(result) {
                    undo(state, unwanted);
                }
            }
            // A caller that has left does not get the error.
            Err(error) => drop(send.send(Err(error))),
        });
        let job = Job { issued_by, intent, need, run };
        let number = if ready {
            state.turn.wait(job)
        } else {
            state.arrivals.push_back(job);
            self.open(&mut state, need);
            state.turn.number()
        };
        Answer::later(Waiting { object: self.this.clone(), receive, undo }.wait(number))
    }

    /// Runs what waits, as far as the table and the turn allow.
    pub(super) fn run_waiting(&self, state: &mut State<T>) {
        loop {
            if state.table.is_handing_over() && state.turn.held_number().is_none() {
                if state.is_busy() {
                    return;
                }
                self.finish_hand_over(state);
            }
            // What waits for the end of a turn was called before what waits for the table.
            let (job, behind_turn) = match state.turn.next_job() {
                Some(job) => (job, true),
                None => match state.arrivals.pop_front() {
                    Some(job) => (job, false),
                    None => return,
                },
            };
            if !self.is_ready(state, job.need) {
                let need = job.need;
                if behind_turn {
                    state.turn.put_back(job);
                } else {
                    state.arrivals.push_front(job);
                }
                self.open(state, need);
                return;
            }
            if behind_turn || state.admits(job.issued_by, job.intent) {
                (job.run)(Ok(state));
            } else {
                state.turn.wait(job);
            }
        }
    }

    /// Ends turn `number` if it is still held. Returns the number of the turn that is held now.
    fn expire_turn(&self, number: u64) -> Option<u64> {
        let mut state = self.locked().ok()?;
        state.turn.expire(number);
        self.run_waiting(&mut state);
        state.turn.held_number()
    }
}

/// The result of a waiting job on its way to the caller.
struct Waiting<T: Table, R> {
    object: Weak<LocalObject<T>>,
    receive: oneshot::Receiver<Result<R>>,
    undo: fn(&mut State<T>, R),
}

impl<T: Table, R> Waiting<T, R> {
    /// Waits for the result. Meanwhile it ends each turn that outlasts its lease.
    async fn wait(mut self, mut number: u64) -> Result<R> {
        loop {
            match tokio::time::timeout(TURN_LEASE, &mut self.receive).await {
                Ok(result) => return result.unwrap_or_else(|_| Err(self.why_ended())),
                Err(_) => {
                    if let Some(current) =
                        self.object.upgrade().and_then(|object| object.expire_turn(number))
                    {
                        number = current;
                    }
                }
            }
        }
    }

    fn why_ended(&self) -> Error {
        let ended =
            self.object.upgrade().and_then(|object| lock(&object.state).ok()?.ended.clone());
        ended.unwrap_or(Error::Closed)
    }
}

impl<T: Table, R> Drop for Waiting<T, R> {
    fn drop(&mut self) {
        self.receive.close();
        if let Ok(Ok(unwanted)) = self.receive.try_recv()
            && let Some(object) = self.object.upgrade()
            && let Ok(mut state) = object.locked()
        {
            (self.undo)(&mut state, unwanted);
            object.run_waiting(&mut state);
        }
    }
}
