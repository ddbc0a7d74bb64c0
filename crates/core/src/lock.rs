//! Locks mutexes, and turns the poison of an earlier panic into an error.

use std::sync::{Mutex, MutexGuard};

use crate::error::{Error, Result};

/// Locks `mutex`; an error if a panic has left its content in doubt.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    mutex
        .lock()
        .map_err(|_| Error::Internal("a panic has left the state of an object in doubt".into()))
}
