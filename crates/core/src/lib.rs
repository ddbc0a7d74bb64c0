//! Durable Object storage: ids, ordered keys, serializable transactions, alarms.
//!
//! This crate knows neither Node.js nor napi. See ARCHITECTURE.md for the map.

pub mod alarm_index;
pub mod answer;
pub mod backend;
pub mod checks;
pub mod clock;
pub mod concurrency;
pub mod durability;
pub mod error;
mod error_code;
pub mod id;
pub mod key;
pub mod limits;
mod lock;
mod merge;
pub mod object_key;
pub mod randomness;
pub mod range;
mod remedy;
pub mod sqlite;
pub mod transaction;
pub mod write_batch;

pub use answer::Answer;
pub use error::{Error, ErrorKind, Result};
