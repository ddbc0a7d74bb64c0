//! The threads that do the work on files, and how much of it is done at once.
//!
//! - [`pool`], [`queue`]: a few threads for all work; which work goes first
//! - [`early_sync`]: syncs that begin before they are needed
//! - [`open_set`], [`by_use`]: how many objects are open at once; which one is closed for another
//! - [`patience`]: when more may be open, because otherwise objects would wait for each other for ever

pub mod by_use;
pub mod early_sync;
pub mod open_set;
pub mod patience;
pub mod pool;
pub mod queue;

pub use pool::{THREADS_MAX, end_shared};
