//! What is asked of the server about one object: each kind of request in one place.
//!
//! - [`question`]: what each kind defines: its command, its place in the order, what its reply tells
//! - [`read`], [`list`], [`commit`], [`turn`], [`alarm`], [`claim`]: the kinds
//! - [`request`]: a request on its way, whatever its kind
//! - [`awaited`]: the caller that waits for an answer

pub(crate) mod alarm;
pub(crate) mod awaited;
pub(crate) mod claim;
pub(crate) mod commit;
pub(crate) mod list;
pub(crate) mod question;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod turn;
