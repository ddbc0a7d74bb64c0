//! The binding: converts, calls `ferroflare-core`, converts back. The only Rust that names napi.
//!
//! Numbers that mean something else than themselves are listed in [`codes`].

// napi hands arguments over by value, and exports public items of private modules to JavaScript.
#![expect(clippy::needless_pass_by_value, unreachable_pub, reason = "see above")]

mod arguments;
mod codes;
mod completions;
mod error;
mod ids;
mod limits;
mod object;
mod packing;
mod runtime;
mod store;
