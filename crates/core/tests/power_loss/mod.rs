//! What a power loss leaves of a directory: everything that was acknowledged.

mod creation;
mod losing_disk;
mod order;
mod reading;
mod survival;
