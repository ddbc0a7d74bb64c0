//! Hands the answer to a request to the caller that waits for it.

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// The caller that waits for the answer to a request.
pub(crate) struct Caller<T>(oneshot::Sender<Result<T>>);

/// The answer to a request, which comes later.
pub(crate) struct Awaited<T>(oneshot::Receiver<Result<T>>);

/// An answer that is ready to be handed over.
pub(crate) struct Delivery(Box<dyn FnOnce() + Send>);

impl<T> Awaited<T> {
    /// A caller, and the answer that it waits for.
    pub(crate) fn new() -> (Caller<T>, Self) {
        let (send, receive) = oneshot::channel();
        (Caller(send), Self(receive))
    }

    /// Waits for the answer.
    pub(crate) async fn wait(self) -> Result<T> {
        self.0.await.unwrap_or(Err(Error::Closed))
    }
}

impl<T> Caller<T> {
    /// Hands over the answer; false if the caller no longer waits.
    pub(crate) fn answer(self, result: Result<T>) -> bool {
        self.0.send(result).is_ok()
    }

    /// Whether the caller no longer waits.
    pub(crate) fn has_left(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T: Send + 'static> Caller<T> {
    /// The answer, to be handed over later.
    pub(crate) fn delivery(self, result: Result<T>) -> Delivery {
        Delivery::new(move || {
            self.answer(result);
        })
    }
}

impl Delivery {
    /// Several answers that are handed over together.
    pub(crate) fn new(hand_over: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(hand_over))
    }

    /// Hands over the answer. A caller that no longer waits does not get it.
    pub(crate) fn hand_over(self) {
        (self.0)();
    }
}
