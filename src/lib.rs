//! The binding: converts, calls `ferroflare-core`, converts back. The only Rust that names napi.
//!
//! Numbers that are codes are listed in [`codes`].

// napi hands arguments over by value, and exports public items of private modules to JavaScript.
#![expect(clippy::needless_pass_by_value, unreachable_pub, reason = "see above")]

mod alarms;
mod arguments;
mod checks;
mod codes;
mod completions;
mod error;
mod ids;
mod limits;
mod numbered;
mod object;
mod packing;
mod quick;
mod running;
mod runtime;
mod scope;
mod sql;
mod sql_reply;
mod store;
mod transactions;
mod turns;
