//! A table that fails leaves nothing half-written and the object usable; one that panics leaves errors,
//! never a hang.

mod errors;
mod faulty_table;
mod panics;
