//! The core's test suites. One binary: suites share helpers, and run beside each other.
//!
//! - `contract`: each sentence of the contracts of places, objects and transactions, on every backend
//! - `anomalies`: what serializable transactions exclude, and that every transaction makes progress
//! - `model`: random programs on the real thing and on a simple model
//! - `damage`: files of a database that are removed, cut or garbled from outside
//! - `faults`: tables that fail or panic
//! - `local_object`: an object whose table fails, is taken away or cannot be opened
//! - `overlay`: what overlays hide, and what their savepoints take back
//! - `many`: many objects of a directory at once
//! - `power_loss`: what was acknowledged survives the loss of everything that was not synced
//! - `sqlite`: the SQL of an object
//! - `strict_serializability`: histories of many threads, judged by the checker in `history`
//!
//! `PROPTEST_CASES` sets the number of random cases, `FERROFLARE_SEED` repeats a failed run.
#![cfg(test)]

mod anomalies;
mod contract;
mod damage;
mod faults;
mod history;
mod local_object;
mod many;
mod model;
mod overlay;
mod places;
mod power_loss;
mod seed;
mod sqlite;
mod strict_serializability;
mod support;
