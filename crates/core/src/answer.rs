//! An answer that comes at once, or later.
//!
//! The binding returns an [`Answer::Now`] from the synchronous call itself. Only an [`Answer::Later`] costs an
//! asynchronous hop.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;

/// A result that comes later.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A result, or the promise of one.
#[must_use = "a later answer does nothing until it is awaited"]
pub enum Answer<T> {
    /// Known already.
    Now(Result<T>),
    /// Waits for a turn, a disk or a server.
    Later(Pending<T>),
}

impl<T: Send + 'static> Answer<T> {
    /// A later answer.
    pub fn later(future: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// Transforms a result that is no error, now or when it comes.
    pub fn and_then<U: Send + 'static>(
        self,
        then: impl FnOnce(T) -> Result<U> + Send + 'static,
    ) -> Answer<U> {
        match self {
            Self::Now(result) => Answer::Now(result.and_then(then)),
            Self::Later(future) => Answer::later(async move { future.await.and_then(then) }),
        }
    }

    /// Waits for the answer.
    pub async fn wait(self) -> Result<T> {
        match self {
            Self::Now(result) => result,
            Self::Later(future) => future.await,
        }
    }
}
