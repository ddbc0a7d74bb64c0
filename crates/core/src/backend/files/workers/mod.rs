//! Who does the work on files, and how much of it is done at once.
//!
//! - [`pool`]: the few threads for all of it
//! - [`early_sync`]: syncs that begin before they are needed
//! - [`open_set`]: how many objects are open at once, and which has to go for another

pub mod early_sync;
pub mod open_set;
pub mod pool;

pub use pool::{THREADS_MAX, end_shared};
