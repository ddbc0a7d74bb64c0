//! Files and directories beside the databases.
//!
//! - [`syncing`]: the calls that make things durable, so that tests see their order
//! - [`directories`]: what around the databases a power loss could take, synced once for all flushes that wait
//! - [`atomic_file`], [`random_name`]: small files that are written as a whole; names that no other user gives
//! - [`paths`], [`same_file`]: paths as errors show them; whether a path still names the same file

pub mod atomic_file;
pub mod directories;
pub mod paths;
pub mod random_name;
pub mod same_file;
pub mod syncing;

pub use syncing::{Disk, RealDisk, Unsynced};
