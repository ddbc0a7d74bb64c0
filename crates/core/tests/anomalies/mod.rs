//! What serializable transactions exclude, and that every transaction makes progress.

mod abandoned;
mod conflicts;
mod leases;
mod progress;
mod turns;
