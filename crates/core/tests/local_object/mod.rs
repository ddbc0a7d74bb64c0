//! An object over a table of this process that fails, is taken away or cannot be opened.

mod fake_table;
mod fixture;
mod handover;
mod opening;
mod sealing;
mod writable;
