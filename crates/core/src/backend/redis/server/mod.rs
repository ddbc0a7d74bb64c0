//! The server: its address, the connection to it, its scripts, its replies and its errors.

pub(crate) mod address;
pub(crate) mod connection;
pub(crate) mod errors;
pub(crate) mod reply;
pub(crate) mod script;
