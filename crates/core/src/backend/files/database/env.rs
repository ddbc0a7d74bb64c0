//! RocksDB's file system, which can be told not to sync while it creates a database.
//!
//! RocksDB makes each file durable as soon as it has written it. A new database takes a dozen syncs, which cost most of
//! the time of its creation. No write has been acknowledged then, so one pass over the files before the first
//! acknowledgement is enough ([`super::creation`]). Two files are not written to the disk at all. No program reads
//! RocksDB's options. The first manifest of a new database is replaced by the second one at once.
//!
//! RocksDB takes its file system from an environment, which is written in C++ (`env/`).

use std::ffi::{OsStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::slice;

use librocksdb_sys::rocksdb_env_t;
use once_cell::sync::{Lazy, OnceCell};
use rocksdb::Env;

unsafe extern "C" {
    fn ferroflare_env_new() -> *mut rocksdb_env_t;
    fn ferroflare_env_defer(next: *const Deferral) -> *const Deferral;
    fn ferroflare_env_observe(told: extern "C" fn(*const c_char, usize));
}

/// While a thread has one, it creates a database and RocksDB syncs nothing on it. The same structure as in `env.cc`.
#[repr(C)]
struct Deferral {
    complete: extern "C" fn(*mut c_void),
    context: *mut c_void,
    syncs_soon: bool,
}

/// The environment in which [`deferring`] works.
pub fn environment() -> &'static Env {
    static ENV: Lazy<Env> = Lazy::new(|| {
        // SAFETY: the function takes no argument, and we own what it returns.
        let env = unsafe { ferroflare_env_new() };
        // SAFETY: the pointer is new, and no other code keeps it.
        unsafe { Env::from_raw(env) }
    });
    &ENV
}

/// Runs `work`, which creates a database, with RocksDB's syncs switched off on this thread. Calls `sync` as soon as the
/// database's files are written, while RocksDB is still opening it. Pass `None` if nothing will sync them soon.
pub fn deferring<R, C: FnOnce()>(work: impl FnOnce() -> R, mut sync: Option<C>) -> R {
    struct Restore(*const Deferral);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the former value of this thread lives until we return, or it is null.
            unsafe { ferroflare_env_defer(self.0) };
        }
    }
    let syncs_soon = sync.is_some();
    let deferral = Deferral { complete: tell::<C>, context: (&raw mut sync).cast(), syncs_soon };
    // SAFETY: `Restore` takes the pointer back before `deferral` is dropped.
    let _restore = Restore(unsafe { ferroflare_env_defer(&raw const deferral) });
    work()
}

extern "C" fn tell<C: FnOnce()>(context: *mut c_void) {
    // SAFETY: the context belongs to `deferring`, which still runs on this thread.
    let sync = unsafe { &mut *context.cast::<Option<C>>() };
    if let Some(sync) = sync.take() {
        // A panic must not unwind into C++. `Creation::conclude` does later what it has left undone.
        let _ = catch_unwind(AssertUnwindSafe(sync));
    }
}

/// Calls `told` for every file and directory that RocksDB syncs from now on, in the whole process. For tests: only the first
/// call has an effect.
pub fn observe_syncs(told: fn(&Path)) {
    if OBSERVER.set(told).is_ok() {
        // SAFETY: `pass_on` exists for as long as the program runs.
        unsafe { ferroflare_env_observe(pass_on) };
    }
}

static OBSERVER: OnceCell<fn(&Path)> = OnceCell::new();

extern "C" fn pass_on(path: *const c_char, length: usize) {
    // SAFETY: the caller passes a string of this length, which lives until we return.
    let bytes = unsafe { slice::from_raw_parts(path.cast::<u8>(), length) };
    // SAFETY: the bytes are a path that this crate has given to RocksDB, followed by ASCII.
    let path = unsafe { OsStr::from_encoded_bytes_unchecked(bytes) };
    if let Some(told) = OBSERVER.get() {
        told(Path::new(path));
    }
}
