//! Damage from outside is told, never swallowed: an object has all of its keys, or its use fails and changes nothing.

mod files;
mod foreign_lock;
mod records;
mod state;
