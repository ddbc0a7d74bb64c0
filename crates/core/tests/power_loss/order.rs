//! A write is acknowledged after the directories around its database were synced, and its log after them. The first
//! write of a new database is acknowledged after all of it was synced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ferroflare_core::backend::Store;
use ferroflare_core::backend::files::disk::{Disk, Unsynced};
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Answer, Result};

use super::synced_by;
use crate::places::{Directory, FSYNC};
use crate::support::{Caller, alarm, later, poll, put};

/// What is asked of the disk.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Entries(PathBuf),
    File(PathBuf),
    Log(PathBuf),
}

/// A call that waits until the test lets it go on.
type Held = (Call, Sender<()>);

/// A disk whose calls are told to the test, and go on when it says so.
#[derive(Clone, Debug)]
struct SteppedDisk(Sender<Held>);

impl SteppedDisk {
    fn step(&self, call: Call) {
        let (step, allowed) = channel();
        // The receiver is gone when the test has ended: the store is being closed.
        if self.0.send((call, step)).is_ok() {
            let _ = allowed.recv();
        }
    }

    fn stepped(&self, call: fn(PathBuf) -> Call, path: &Path) -> Box<dyn Unsynced> {
        let (disk, path) = (self.clone(), path.to_owned());
        synced_by(move || {
            disk.step(call(path.clone()));
            Ok(())
        })
    }
}

impl Disk for SteppedDisk {
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        Ok(self.stepped(Call::Entries, directory))
    }

    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>> {
        Ok(self.stepped(Call::File, file))
    }

    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        self.step(Call::Log(path.to_owned()));
        sync()
    }
}

/// How long to wait for a call, or for an acknowledgement that must not come.
const STEP: Duration = Duration::from_millis(5);

/// Writes, and gives the calls that were made until the write was acknowledged, in the order in which they ended.
fn calls_of(caller: &Caller, batch: WriteBatch, calls: &Receiver<Held>) -> Vec<Call> {
    // What opens the object begins to make calls, but waits for none.
    let committed = match caller.0.write(batch, None) {
        Answer::Now(written) => written,
        Answer::Later(mut writing) => loop {
            if let Some(written) = poll(&mut writing) {
                break written;
            }
            thread::sleep(STEP);
        },
    };
    let mut durable = later(caller.0.durable(committed.unwrap().ticket));
    caller.0.seal();
    let (mut held, mut made) = (Vec::new(), Vec::new());
    loop {
        while let Ok(call) = calls.recv_timeout(STEP) {
            held.push(call);
        }
        let acknowledged = poll(&mut durable);
        if held.is_empty() {
            if let Some(durable) = acknowledged {
                durable.unwrap();
                return made;
            }
            continue;
        }
        assert!(acknowledged.is_none(), "acknowledged after {made:?}, before {held:?}");
        // What is made at the same time as others must not be taken for the last one.
        let log = held.iter().position(|(call, _)| matches!(call, Call::Log(_)));
        let (call, step) = held.remove(log.unwrap_or(0));
        made.push(call);
        step.send(()).unwrap();
    }
}

#[tokio::test]
async fn directories_are_synced_before_the_log_and_everything_before_the_acknowledgement() {
    let (told, calls) = channel();
    let disk = SteppedDisk(told);
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart_in("a/root", FSYNC, Arc::new(disk));
    let above = directory.path();
    let caller = Caller::new(&place);
    // Dropped before the place is closed, which makes calls too.
    let calls = calls;
    let entries = |path: &str| Call::Entries(above.join(path));
    let database = above.join("a/root/OBJECT/one");
    let log = || Call::Log(database.clone());

    let mut first = calls_of(&caller, put(&["a"], "value"), &calls);
    let around = ["", "a", "a/root", "a/root/.ferroflare", "a/root/OBJECT"].map(entries);
    // The files of a new database are synced by themselves, while it is being opened and written to.
    let current = std::fs::read_to_string(database.join("CURRENT")).unwrap();
    let files = ["CURRENT", current.trim_end()].map(|file| Call::File(database.join(file)));
    first.sort();
    let mut expected: Vec<_> = around.into_iter().chain(files).chain([log()]).collect();
    expected.sort();
    assert_eq!(first, expected);

    let second = calls_of(&caller, put(&["b"], "value"), &calls);
    assert_eq!(second, [log()], "what is durable is not synced again");

    let third = calls_of(&caller, alarm(Some(1)), &calls);
    let marker = ["a/root/.ferroflare", "a/root/.ferroflare/alarms"];
    assert_eq!(third, marker.into_iter().map(entries).chain([log()]).collect::<Vec<_>>());

    let fourth = calls_of(&caller, alarm(Some(2)), &calls);
    assert_eq!(fourth, [entries("a/root/.ferroflare/alarms"), log()]);
}
