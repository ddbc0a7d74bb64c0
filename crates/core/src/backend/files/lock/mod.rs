//! At most one process has an object.
//!
//! - [`object_lock`]: the lock, which a process holds for as long as it has the object
//! - [`record`]: what a lock file says
//! - [`waiting`]: how often those who wait for another process look

pub mod object_lock;
pub mod record;
pub mod waiting;
