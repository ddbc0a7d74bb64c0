//! The binding: converts, calls `ferroflare-core`, converts back. The only Rust that names napi.
//!
//! Numbers that mean something else than themselves are listed in [`codes`].

#![expect(
    unreachable_pub,
    reason = "napi exports public items of private modules to JavaScript"
)]

mod arguments;
mod codes;
mod completions;
mod error;
mod ids;
mod object;
mod packing;
mod runtime;
mod store;
