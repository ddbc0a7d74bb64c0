//! Statements of a worker that are kept by their text, up to a total size.

use std::collections::HashMap;
use std::sync::Arc;

use super::statement::Statement;

/// What the kept statements of a database may take, in bytes.
const SIZE_MAX: usize = 1 << 20;

/// A kept statement that does not run now.
struct Kept {
    statement: Statement,
    size: usize,
    used: u64,
}

/// The statements that do not run now, by their text.
#[derive(Default)]
pub(super) struct Cache {
    kept: HashMap<Arc<str>, Kept>,
    size: usize,
    uses: u64,
}

impl Cache {
    /// Takes out the statement with that text. While it runs, another one is prepared for the same text.
    pub(super) fn take(&mut self, sql: &str) -> Option<(Arc<str>, Statement)> {
        let (text, kept) = self.kept.remove_entry(sql)?;
        self.size -= kept.size;
        Some((text, kept.statement))
    }

    /// Keeps a statement that has been reset.
    pub(super) fn keep(&mut self, text: Arc<str>, mut statement: Statement) {
        let size = statement.size() + text.len();
        self.uses += 1;
        let kept = Kept { statement, size, used: self.uses };
        self.size += size;
        if let Some(replaced) = self.kept.insert(text, kept) {
            self.size -= replaced.size;
        }
        while self.size > SIZE_MAX && self.drop_oldest() {}
    }

    /// The statement whose column names have that number.
    pub(super) fn find(&self, names: u64) -> Option<&Statement> {
        let mut statements = self.kept.values().map(|kept| &kept.statement);
        statements.find(|statement| statement.is_named(names))
    }

    /// Drops all statements.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.size = 0;
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used);
        let Some(text) = oldest.map(|(text, _)| text.clone()) else {
            return false;
        };
        if let Some(dropped) = self.kept.remove(&text) {
            self.size -= dropped.size;
        }
        true
    }
}
