//! What the objects of one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::alarms::KnownAlarms;
use super::cork::Cork;
use super::registry::Registry;
use super::server::connection::Connection;
use crate::clock::Clock;
use crate::concurrency::TransactionId;

/// What the objects of one server share.
pub(crate) struct Shared {
    pub(crate) connection: Arc<Connection>,
    pub(crate) registry: Registry,
    pub(crate) alarms: KnownAlarms,
    pub(crate) cork: Cork,
    /// Where background work runs.
    pub(crate) runtime: Handle,
    /// Name of this user of the server; no other user has it.
    pub(crate) client: String,
    clock: Clock,
    newest: AtomicU64,
}

impl Shared {
    /// What objects share over `connection`. With `corked`, what they ask waits for [`Cork::release`].
    pub(crate) fn new(
        connection: Connection,
        client: String,
        runtime: Handle,
        corked: bool,
        clock: Clock,
    ) -> Self {
        let connection = Arc::new(connection);
        Self {
            registry: Registry::new(connection.clone()),
            connection,
            alarms: KnownAlarms::default(),
            cork: Cork::new(corked),
            runtime,
            client,
            clock,
            newest: AtomicU64::new(0),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// A number that was not given before.
    pub(crate) fn next_id(&self) -> TransactionId {
        self.newest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The name of a number on the server.
    pub(crate) fn name_of(&self, id: TransactionId) -> String {
        format!("{}.{id}", self.client)
    }

    /// A name that no user of the server has given before.
    pub(crate) fn new_name(&self) -> String {
        self.name_of(self.next_id())
    }
}
