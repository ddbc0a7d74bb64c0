//! One object that is open or is being opened.
//!
//! - [`source`]: opening the object when an operation needs it
//! - [`table`]: its data, with the batch that gathers in front of the database
//! - [`flusher`]: making sealed batches durable, one flush for all that have gathered
//! - [`database`]: its open database, which this process has locked
//! - [`alarm_marker`]: the file by which its alarm is found while it is closed
//! - [`ending`], [`removal`]: what comes after the last flush; deleting an object that is empty

pub mod alarm_marker;
pub mod database;
pub mod ending;
pub mod flusher;
pub mod removal;
pub mod source;
pub mod table;
