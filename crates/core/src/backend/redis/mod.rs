//! Redis: one server or cluster that many processes use at once.
//!
//! The server decides: every commit is one script that validates and writes. So nothing here is a cache, and many
//! processes, on many machines, see one order of commits.
//!
//! One way down, from a call of a caller to the server:
//!
//! 1. [`store`] is what a user holds, [`place`] one server in use, [`maintenance`] its background work
//! 2. [`object`] is the contract: it makes a request of each call, and an answer for the caller
//! 3. [`sending`] queues requests and plain writes, and sends all that is queued as one round
//! 4. [`requests`] holds each kind of request: its command, its order, what its reply tells
//! 5. [`server`] is the connection, with the server's scripts, replies and errors
//!
//! One way up: `sending/deliver.rs` makes a list of effects of the replies to a round, and `sending/apply.rs` applies
//! it in one place. Callers that wait get their answers there.
//!
//! [`shared`] is what the objects of one server have in common: the connection and the three rooms below it.
//! [`registry`] is the index of objects and alarms on the server. [`alarms`] are those that this process knows.
//! [`cork`] sends what one turn of the event loop has asked together. [`layout`] names the keys, and
//! [`name_records`] holds the names of objects.

mod alarms;
mod cork;
mod layout;
mod maintenance;
mod name_records;
mod object;
mod place;
mod registry;
mod requests;
mod sending;
mod server;
mod shared;
mod store;

pub use place::RedisOptions;
pub use store::RedisStore;
