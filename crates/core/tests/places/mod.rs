//! The backends under test. A new one is a file here and a line in `on_every_place`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ferroflare_core::backend::Store;

mod files;
mod handed;
mod memory;
mod overlay;
mod redis;
mod redis_server;
mod sqlite;

pub(crate) use files::{Directory, FSYNC, Files, Opened, unlike_others};
pub(crate) use handed::HandedFiles;
pub(crate) use memory::Memory;
pub(crate) use overlay::{Overlay, no_threads};
pub(crate) use redis::{Redis, RedisCluster};
pub(crate) use sqlite::{SqliteFiles, SqliteMemory, SqliteOverlay};

/// A test that takes longer waits for something that never comes. A disk may take milliseconds for each sync.
pub(crate) const TEST_TIME_MAX: Duration = Duration::from_secs(600);

/// What is there once a place has been opened.
pub(crate) type Opening<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A backend under test.
pub(crate) trait TestPlace: Sync {
    /// A new place that no other process uses, with nothing in it.
    fn open(&self) -> Opening<'_, Arc<dyn Store>>;

    /// Two users of one new place, as far apart as the backend allows.
    fn open_twice(&self) -> Opening<'_, [Arc<dyn Store>; 2]> {
        Box::pin(async {
            let place = self.open().await;
            [place.clone(), place]
        })
    }

    /// Whether the place answers in the synchronous call whenever no turn makes it wait.
    fn answers_at_once(&self) -> bool;

    /// Whether the commit log of the place keeps the very keys that it was given, and nothing else does
    /// once they are removed. A test can then count the references to know what the log remembers.
    fn log_shares_keys(&self) -> bool;

    /// Whether the place leaves out the objects that hold nothing any more when it is asked for ids.
    fn forgets_emptied_objects(&self) -> bool;

    /// Whether an attempt sees the state of its first read, not that of its begin.
    fn starts_at_first_read(&self) -> bool {
        false
    }

    /// Whether an attempt that writes nothing commits although another one has its turn.
    fn reads_commit_beside_turns(&self) -> bool {
        false
    }

    /// Whether closing the place finishes operations that wait for a turn, instead of failing them.
    fn finishes_what_waits(&self) -> bool {
        false
    }

    /// How many times as long as in memory an operation takes, roughly.
    fn cost(&self) -> u32;

    /// How many of `rounds` to run, so that the test takes as long as in memory; at least one.
    fn share_of(&self, rounds: u32) -> u32 {
        rounds.div_ceil(self.cost())
    }
}

/// Runs tests of the form `async fn(&dyn TestPlace)` on every backend.
macro_rules! on_every_place {
    ($($test:ident),+ $(,)?) => {
        $crate::places::on_place!(memory, Memory, $($test),+);
        $crate::places::on_place!(overlay, Overlay, $($test),+);
        $crate::places::on_place!(files, Files, $($test),+);
        $crate::places::on_place!(handed_files, HandedFiles, $($test),+);
        $crate::places::on_place!(sqlite_memory, SqliteMemory, $($test),+);
        $crate::places::on_place!(sqlite_overlay, SqliteOverlay, $($test),+);
        $crate::places::on_place!(sqlite_files, SqliteFiles, $($test),+);
        $crate::places::on_place!(redis, Redis, $($test),+);
        $crate::places::on_place!(redis_cluster, RedisCluster, $($test),+);
    };
}

macro_rules! on_place {
    ($name:ident, $place:ident, $($test:ident),+) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    let test = super::$test(&$crate::places::$place);
                    tokio::time::timeout($crate::places::TEST_TIME_MAX, test)
                        .await
                        .expect("the test hangs");
                }
            )+
        }
    };
}

pub(crate) use {on_every_place, on_place};
