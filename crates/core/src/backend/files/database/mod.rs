//! A database on the disk, of RocksDB or of SQLite.
//!
//! - [`file_names`]: the names of its files
//! - [`format`]: what is inside a database
//! - [`rocks`], [`errors`]: RocksDB, tuned for many small databases; what it says, as errors for people
//! - [`creation`], [`env`]: creating a database with few syncs
//! - [`sqlite_files`]: the files of a SQLite database
//! - [`inventory`]: what the files of a database are, so that damage from outside is noticed

pub mod creation;
pub mod env;
pub mod errors;
pub mod file_names;
pub mod format;
pub mod inventory;
pub mod rocks;
pub mod sqlite_files;
