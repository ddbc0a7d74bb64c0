//! Which Durable Object is meant.

use std::fmt;
use std::sync::Arc;

/// Names one Durable Object: the binding's name and the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Name of the binding.
    pub name: Arc<str>,
    /// The id: 64 hex digits, or what `toString()` of a test double returns.
    pub id: Arc<str>,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.name, self.id)
    }
}
