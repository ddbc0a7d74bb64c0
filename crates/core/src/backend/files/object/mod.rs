//! One object that is open, or on its way to be.
//!
//! - [`source`]: opening an object when it is needed
//! - [`database`]: its open database
//! - [`table`]: its data, with the batch that gathers in front of the database
//! - [`flusher`]: making batches durable, and closing the database

pub mod database;
pub mod flusher;
pub mod source;
pub mod table;
