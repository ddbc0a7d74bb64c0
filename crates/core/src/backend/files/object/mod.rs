//! One object that is open or is being opened.
//!
//! - [`source`]: opening the object when an operation needs it
//! - [`table`]: its data: [`rocks_table`], with the batch that gathers in front of the database, or a SQLite database
//! - [`sqlite_home`]: making the commits of a SQLite database durable
//! - [`moving`]: from a RocksDB database into a SQLite database
//! - [`flusher`]: making sealed batches durable, one flush for all that have gathered
//! - [`database`]: its open database, which this process has locked
//! - [`alarm_marker`]: the file by which its alarm is found while it is closed
//! - [`ending`], [`removal`]: what comes after the last flush; deleting an object that is empty

pub mod alarm_marker;
pub mod database;
pub mod ending;
pub mod flusher;
pub mod moving;
pub mod removal;
pub mod rocks_table;
pub mod source;
pub mod sqlite_home;
pub mod table;
