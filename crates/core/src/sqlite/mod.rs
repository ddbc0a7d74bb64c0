//! One SQLite database as an object of a SQLite-backed class has it: the SQL of a worker, and the keys and the alarm beside
//! its tables.
//!
//! - [`database`]: the open database
//! - [`transaction`]: the transaction of a turn of the event loop, and savepoints
//! - [`log`]: how long the log is
//! - [`image`]: its size, its bytes, emptying it
//! - [`session`], [`counts`]: what SQL sees of its connection, for each instance of the object
//! - [`connection`]: opening it, its settings and limits
//! - [`statement`]: one prepared statement, the only place that calls SQLite for one
//! - [`execution`]: running the SQL of a worker
//! - [`cursor`], [`rows`]: a result that is read row by row; handing its rows over
//! - [`cache`], [`fixed`]: statements that are kept, by their text and ours
//! - [`entries`]: keys, values and the alarm in the tables `_cf_KV` and `_cf_METADATA`
//! - [`authorizer`], [`functions`]: what the SQL of a worker may do
//! - [`failure`], [`file_failure`]: what SQLite says, in the words of production; what the system says of a file

mod authorizer;
mod cache;
mod connection;
mod counts;
mod cursor;
mod database;
mod entries;
mod execution;
mod failure;
mod file_failure;
mod fixed;
mod functions;
mod image;
mod log;
mod rows;
mod session;
mod statement;
mod transaction;
mod value;

pub use self::cursor::{CursorId, Step};
pub use self::database::Database;
pub use self::failure::{is_busy, is_damage};
pub use self::image::Checkpoint;
pub use self::session::Session;
pub use self::transaction::{CommitEnd, Savepoint};
pub use self::value::{Binding, Column};
