//! The object that callers hold.

use std::sync::Arc;

use crate::backend::ObjectKey;
use crate::backend::redis::sending::driver::Driver;
use crate::backend::redis::shared::Shared;

/// One object of a server.
///
/// Answers that come later hold the driver weakly: when the store is dropped, they end with an error.
pub(crate) struct RedisObject {
    pub(crate) driver: Arc<Driver>,
}

impl RedisObject {
    /// The object of that name and id.
    pub(crate) fn new(shared: Arc<Shared>, key: ObjectKey) -> Self {
        Self { driver: Driver::new(shared, key) }
    }
}
