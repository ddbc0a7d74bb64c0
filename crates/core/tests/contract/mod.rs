//! The contract of `ferroflare_core::backend`, sentence by sentence, on every backend.

mod alarms;
mod claims;
mod closing;
mod lists;
mod objects;
mod order;
mod read_sets;
mod snapshots;
mod undo;
mod writes;
