//! Files and directories beside the databases.
//!
//! - [`syncing`]: the calls that make things durable, so that tests see their order
//! - [`directories`]: what around the databases a power loss could take, synced once for all flushes that wait
//! - [`atomic_file`]: small files that are written as a whole
//! - [`links`]: refuses symbolic links
//! - [`file_name`], [`random_name`]: names that are safe in every file system; names that no other process gives
//! - [`paths`], [`same_file`]: paths as errors show them; whether a path still names the same file

pub mod atomic_file;
pub mod directories;
pub mod file_name;
pub mod links;
pub mod paths;
pub mod random_name;
pub mod same_file;
pub mod syncing;

pub use syncing::{Disk, RealDisk, Unsynced};
