//! Delivers later answers to JavaScript: one wake-up of the event loop delivers all answers that are ready.
//!
//! Waiting for an answer begins at the end of the turn of the event loop that has asked, when the question is sent. Before,
//! JavaScript could not receive an answer, and each start would wake a thread in the background.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use ferroflare_core::backend::Store;
use ferroflare_core::{Answer, Error};
use napi::bindgen_prelude::{Buffer, Function, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};
use napi_derive::napi;

use crate::codes::{ABSENT, OVERFLOW, TICKET_FIRST};
use crate::error::{Failure, thrown};
use crate::runtime;

/// An answer with its ticket.
type Ready = (u64, Result<Reply, Error>);

/// Waits for an answer.
type Awaiting = Pin<Box<dyn Future<Output = Ready> + Send>>;

type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// The answer to an operation, before it is converted for JavaScript.
pub(crate) enum Reply {
    /// A number: see [`crate::codes`].
    Number(f64),
    /// Bytes for the scratch buffer.
    Bytes(Arc<[u8]>),
    /// Bytes that were packed for this answer.
    Packed(Vec<u8>),
}

/// One JavaScript environment's side of the later answers.
#[napi]
pub struct Completions {
    shared: Arc<Shared>,
    /// Keeps the event loop alive while answers are awaited.
    wake: Arc<Wake>,
    outstanding: Cell<u32>,
    next_ticket: Cell<u64>,
    overflow: RefCell<Option<Reply>>,
    /// Answers that were asked for in this turn of the event loop.
    begun: RefCell<Vec<Awaiting>>,
    /// Stores that send at the end of a turn of the event loop.
    flushed: RefCell<Vec<Weak<dyn Store>>>,
}

#[derive(Default)]
struct Shared {
    ready: Mutex<Vec<Ready>>,
}

impl Shared {
    fn ready(&self) -> MutexGuard<'_, Vec<Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One later answer that has come.
#[napi(object, object_from_js = false)]
pub struct Completion {
    /// Its ticket.
    pub ticket: f64,
    /// The number that the operation returns.
    pub value: f64,
    /// The bytes that go with it.
    pub bytes: Option<Buffer>,
    /// The error to reject with instead.
    pub error: Option<Failure>,
}

#[napi]
impl Completions {
    /// `wake` is called on the event loop when `drain()` has answers to return.
    #[napi(constructor, catch_unwind)]
    pub fn new(wake: Function<'_, (), ()>) -> napi::Result<Self> {
        let wake = wake.build_threadsafe_function().weak::<true>().build()?;
        Ok(Self {
            shared: Arc::default(),
            wake: Arc::new(wake),
            outstanding: Cell::new(0),
            next_ticket: Cell::new(TICKET_FIRST),
            overflow: RefCell::new(None),
            begun: RefCell::default(),
            flushed: RefCell::default(),
        })
    }

    /// The answers that have come since the last call.
    #[napi(catch_unwind)]
    pub fn drain(&self, env: Env) -> napi::Result<Vec<Completion>> {
        let ready = std::mem::take(&mut *self.shared.ready());
        let settled = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        let outstanding = self.outstanding.get().saturating_sub(settled);
        if outstanding == 0 && self.outstanding.get() > 0 {
            self.keep_alive(env, false)?;
        }
        self.outstanding.set(outstanding);
        Ok(ready.into_iter().map(|(ticket, result)| completion(ticket, result)).collect())
    }

    /// Sends what was asked in this turn of the event loop, and waits for the answers in the background. Returns whether
    /// some have come already.
    #[napi(catch_unwind)]
    pub fn flush(&self) -> bool {
        self.flushed.borrow_mut().retain(|store| {
            let store = store.upgrade();
            if let Some(store) = &store {
                store.flush();
            }
            store.is_some()
        });
        let Some(runtime) = runtime::handle() else {
            return false;
        };
        let _entered = runtime.enter();
        let mut are_ready = false;
        for mut awaiting in self.begun.take() {
            // Often the write has become durable since the question, so that no thread has to be woken.
            let mut no_waker = Context::from_waker(Waker::noop());
            if let Poll::Ready(ready) = awaiting.as_mut().poll(&mut no_waker) {
                self.shared.ready().push(ready);
                are_ready = true;
            } else {
                runtime.spawn(deliver(awaiting, self.shared.clone(), self.wake.clone()));
            }
        }
        are_ready
    }

    /// The bytes that did not fit into the scratch buffer of the call before.
    #[napi(catch_unwind)]
    pub fn take_bytes(&self) -> napi::Result<Uint8Array> {
        match self.overflow.borrow_mut().take() {
            Some(Reply::Bytes(bytes)) => Ok(bytes.to_vec().into()),
            Some(Reply::Packed(bytes)) => Ok(bytes.into()),
            Some(Reply::Number(_)) | None => {
                Err(napi::Error::from_reason("Internal error in ferroflare: no bytes are waiting."))
            }
        }
    }

    /// Also flushes `store` at the end of each turn of the event loop that has asked something.
    pub(crate) fn flush_also(&self, store: Arc<dyn Store>) {
        self.flushed.borrow_mut().push(Arc::downgrade(&store));
    }

    /// Turns a core answer into the number that the JavaScript call returns.
    pub(crate) fn reply<T: Send + 'static>(
        &self,
        env: Env,
        scratch: &mut [u8],
        answer: Answer<T>,
        convert: impl FnOnce(T) -> Reply + Send + 'static,
    ) -> napi::Result<f64> {
        match answer {
            Answer::Now(Ok(value)) => Ok(self.fit(scratch, convert(value))),
            Answer::Now(Err(error)) => Err(thrown(env, &error)),
            Answer::Later(pending) => {
                runtime::required().map_err(|error| thrown(env, &error))?;
                let ticket = self.next_ticket.get();
                self.next_ticket.set(ticket + 1);
                if self.outstanding.get() == 0 {
                    self.keep_alive(env, true)?;
                }
                self.outstanding.set(self.outstanding.get() + 1);
                let awaiting = async move { (ticket, pending.await.map(convert)) };
                self.begun.borrow_mut().push(Box::pin(awaiting));
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a process issues fewer than 2^53 tickets"
                )]
                Ok(-(ticket as f64))
            }
        }
    }

    fn keep_alive(&self, env: Env, alive: bool) -> napi::Result<()> {
        let wake = self.wake.raw();
        // SAFETY: `env` is the environment that made `wake`, and this is its thread.
        let status = unsafe {
            if alive {
                sys::napi_ref_threadsafe_function(env.raw(), wake)
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), wake)
            }
        };
        napi::check_status!(status)
    }

    fn fit(&self, scratch: &mut [u8], reply: Reply) -> f64 {
        let bytes: &[u8] = match &reply {
            Reply::Number(number) => return *number,
            Reply::Bytes(bytes) => bytes,
            Reply::Packed(bytes) => bytes,
        };
        let length = bytes.len();
        if let Some(room) = scratch.get_mut(..length) {
            room.copy_from_slice(bytes);
            #[expect(clippy::cast_precision_loss, reason = "no buffer holds 2^53 bytes")]
            return length as f64;
        }
        self.overflow.replace(Some(reply));
        OVERFLOW
    }
}

async fn deliver(awaiting: Awaiting, shared: Arc<Shared>, wake: Arc<Wake>) {
    let ready = awaiting.await;
    let mut answers = shared.ready();
    let is_first = answers.is_empty();
    answers.push(ready);
    drop(answers);
    // The task with the first answer wakes the event loop, which then gets all of them.
    if is_first {
        wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

fn completion(ticket: u64, result: Result<Reply, Error>) -> Completion {
    #[expect(clippy::cast_precision_loss, reason = "a process issues fewer than 2^53 tickets")]
    let ticket = ticket as f64;
    let (value, bytes, error) = match result {
        Ok(Reply::Number(number)) => (number, None, None),
        Ok(Reply::Bytes(bytes)) => (OVERFLOW, Some(bytes.to_vec().into()), None),
        Ok(Reply::Packed(bytes)) => (OVERFLOW, Some(bytes.into()), None),
        Err(error) => (ABSENT, None, Some(Failure::from(&error))),
    };
    Completion { ticket, value, bytes, error }
}
