//! From queued requests to answers, one round trip after the other.
//!
//! - [`batch`], [`write_queue`]: plain writes that wait, one batch for each turn of the event loop
//! - [`state`]: what waits, and what this process knows of the object
//! - [`round`]: what travels together
//! - [`deliver`]: what follows from the replies
//! - [`apply`]: applies what follows
//! - [`driver`]: sends one round after the other

mod apply;
pub(crate) mod batch;
mod deliver;
pub(crate) mod driver;
mod round;
pub(crate) mod state;
pub(crate) mod write_queue;
