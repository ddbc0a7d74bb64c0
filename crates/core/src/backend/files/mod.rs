//! Files: one RocksDB database an object, in a directory that several processes may use at once.
//!
//! ```text
//! store ── maintenance ── place          a user of the directory; its background work; the objects in use
//!   object                               one open object: source, table, flusher, database
//!     lock                               at most one process has an object
//!     database                           a RocksDB database on the disk
//!       disk                             files and directories around the databases, and what must be synced
//!         workers                        the few threads that do the work, and how many objects are open
//! ```
//!
//! **A write** goes to the object's [`object::table`], where the writes of one turn of the event loop gather. At the
//! end of the turn they become one batch, which is written to the log of RocksDB. [`object::flusher`] makes it durable
//! in the background, together with later batches. A caller is told when the batch is durable.
//!
//! **An object is opened** when an operation needs it. [`workers::open_set`] gives it a slot, [`lock::object_lock`]
//! keeps other processes away, and [`object::source`] opens its database. It is opened read-only. The first write opens
//! it again to write, under the same lock, so that running transactions continue.
//!
//! **An object is closed** when another object needs its slot, or when another process requests it
//! ([`lock::handover`]). All objects are closed with the last store of the directory. Everything is made durable first.
//! The lock file then tells the next holder that the object is clean, and what the files of its database are.
//!
//! **After a crash** the lock file tells the next holder that the object is dirty. The next holder writes and syncs
//! again what was left, before it reads. A database whose creation was not finished may be created again.
//!
//! **Alarms** are found without opening objects: each has a marker file ([`object::alarm_marker`]).
//!
//! [`shared`] is what the objects of one directory share. [`layout`] says where each file is, and [`name_records`]
//! keeps the names that ids were made of. [`format_marker`], [`old_data`], [`case_conflict`] and [`own_links`]
//! refuse directories that are not ours to write in.

pub mod case_conflict;
pub mod database;
pub mod disk;
pub mod format_marker;
pub mod layout;
pub mod lock;
pub mod maintenance;
pub mod name_records;
pub mod object;
pub mod old_data;
pub mod own_links;
pub mod place;
pub mod shared;
pub mod store;
pub mod workers;

pub use store::{FileOptions, FileStore, OPEN_OBJECTS_DEFAULT};
