//! Makes the commits of a SQLite database durable: the home of its table on the disk.

use std::sync::Arc;

use super::flusher::Flusher;
use crate::backend::Ticket;
use crate::backend::local::Home;
use crate::durability::Durability;
use crate::error::Result;
use crate::sqlite::{Checkpoint, Database};

/// Pages in the log from which on it is moved into the database.
const LOG_PAGES_MAX: u32 = 1_000;

/// The files of a table.
pub struct SqliteHome {
    flusher: Arc<Flusher>,
    /// The alarm whose marker can go when the transaction is committed.
    replaced: Option<i64>,
}

impl SqliteHome {
    /// The home whose commits `flusher` makes durable.
    pub fn new(flusher: Arc<Flusher>) -> Self {
        Self { flusher, replaced: None }
    }
}

impl Home for SqliteHome {
    fn durability(&self) -> &Arc<Durability> {
        &self.flusher.durability
    }

    fn before_commit(&mut self, alarm: Option<i64>) -> Result<()> {
        self.flusher.database.begin_commit()?;
        self.replaced = self.flusher.announce_alarm(alarm)?;
        Ok(())
    }

    fn committed(&mut self, _database: &mut Database, ticket: Ticket) -> Result<()> {
        self.flusher.database.mark_unsynced();
        if let Some(at) = self.replaced.take() {
            self.flusher.forget_alarm(at);
        }
        Flusher::flush_later(&self.flusher, ticket, false)
    }

    fn between_turns(&mut self, database: &mut Database, newest: Ticket) -> Result<()> {
        if database.log_pages() < LOG_PAGES_MAX || !self.flusher.may_checkpoint(newest) {
            return Ok(());
        }
        self.flusher.database.begin_checkpoint()?;
        database.checkpoint(Checkpoint::Unsynced)?;
        // In the background; the next commit waits for it.
        self.flusher.database.mark_unsynced();
        Flusher::flush_later(&self.flusher, newest, false)
    }
}
