//! At most one process has an object.
//!
//! - [`object_lock`]: the lock of an object, which a process holds for as long as it has the object
//! - [`release`]: what becomes of the lock file then
//! - [`record`]: what a lock file says
//! - [`absence`]: whether another process has had an object meanwhile
//! - [`held`]: the lock files of this process, and its callers that wait for them
//! - [`handover`]: how a process asks for an object that another one has
//! - [`alarm_claim`]: alarms that a process handles, while another one may have the object
//! - [`waiting`]: how often a caller looks that waits for another process

pub mod absence;
pub mod alarm_claim;
pub mod handover;
pub mod held;
pub mod object_lock;
pub mod record;
pub mod release;
pub mod waiting;
