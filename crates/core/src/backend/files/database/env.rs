//! RocksDB's syncs, which cost most of the time in which a database is created.
//!
//! RocksDB makes each file durable as soon as it has written it, a dozen syncs for a new database. Nobody
//! has been told of anything in there yet: one pass over the files before the first acknowledgement does the
//! same ([`super::creation`]). RocksDB's options, which nobody reads, are not written to the disk at all, nor is a
//! new database's first manifest, which the second one replaces at once.
//!
//! RocksDB takes its file system from an environment, in C++ (`env/`).

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

/// While there is one on a thread, a database is created there and nothing is synced. As in `env.cc`.
#[repr(C)]
struct Deferral {
    complete: extern "C" fn(*mut c_void),
    context: *mut c_void,
    syncs_soon: bool,
}

/// The environment in which [`deferring`] works.
pub fn environment() -> &'static Env {
    static ENV: Lazy<Env> = Lazy::new(|| {
        // SAFETY: the function takes nothing, and what it returns is ours.
        let env = unsafe { ferroflare_env_new() };
        // SAFETY: the pointer is fresh, and nobody else keeps it.
        unsafe { Env::from_raw(env) }
    });
    &ENV
}

/// Does what `work` does, which is to create a database, but RocksDB syncs nothing in it on this thread. `sync` is
/// called in it as soon as the files of the database are written, while RocksDB is still busy; none says that they
/// will not be synced soon.
pub fn deferring<R, C: FnOnce()>(work: impl FnOnce() -> R, mut sync: Option<C>) -> R {
    struct Restore(*const Deferral);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: what held before on this thread does until we return, or is null.
            unsafe { ferroflare_env_defer(self.0) };
        }
    }
    let syncs_soon = sync.is_some();
    let deferral = Deferral { complete: tell::<C>, context: (&raw mut sync).cast(), syncs_soon };
    // SAFETY: it is taken back before it is gone, by `Restore`.
    let _restore = Restore(unsafe { ferroflare_env_defer(&raw const deferral) });
    work()
}

extern "C" fn tell<C: FnOnce()>(context: *mut c_void) {
    // SAFETY: the context is that of `deferring`, which still runs, on this thread.
    let sync = unsafe { &mut *context.cast::<Option<C>>() };
    if let Some(sync) = sync.take() {
        // A panic must not unwind into C++. What it leaves undone is done later, since nobody was told.
        let _ = catch_unwind(AssertUnwindSafe(sync));
    }
}

/// Tells `told` of every file and directory that RocksDB syncs from now on, in the whole process. For tests:
/// only the first call has an effect.
pub fn observe_syncs(told: fn(&Path)) {
    if OBSERVER.set(told).is_ok() {
        // SAFETY: `pass_on` is there for as long as the program runs.
        unsafe { ferroflare_env_observe(pass_on) };
    }
}

static OBSERVER: OnceCell<fn(&Path)> = OnceCell::new();

extern "C" fn pass_on(path: *const c_char, length: usize) {
    // SAFETY: the caller passes a string of this length, which lives until we return.
    let bytes = unsafe { slice::from_raw_parts(path.cast::<u8>(), length) };
    // SAFETY: the bytes are those of a path that this crate has given RocksDB, and ASCII behind it.
    let path = unsafe { OsStr::from_encoded_bytes_unchecked(bytes) };
    if let Some(told) = OBSERVER.get() {
        told(Path::new(path));
    }
}
