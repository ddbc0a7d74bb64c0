//! A write is acknowledged after the directories around its database were synced, and its log after them; that of a
//! new database after all of it was synced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferroflare_core::backend::Place;
use ferroflare_core::backend::files::disk::{Disk, Unsynced};
use ferroflare_core::write::WriteBatch;
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

/// A disk whose calls are told to the test, and go on one at a time when it says so.
#[derive(Clone, Debug)]
struct SteppedDisk {
    calls: Sender<Call>,
    steps: Arc<Mutex<Receiver<()>>>,
}

impl SteppedDisk {
    fn step(&self, call: Call) {
        // Nobody listens any more when the test has ended: the place is being closed.
        let told = self.calls.send(call);
        if told.is_ok() {
            let _ = self.steps.lock().unwrap().recv();
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

/// How long to wait for a call before looking whether the write has ended.
const STEP: Duration = Duration::from_millis(1);

/// Writes, and gives the calls that were made until the write was acknowledged.
fn calls_of(
    caller: &Caller,
    batch: WriteBatch,
    calls: &Receiver<Call>,
    steps: &Sender<()>,
) -> Vec<Call> {
    let mut made = Vec::new();
    let committed = match caller.0.write(batch, None) {
        Answer::Now(written) => written,
        // What opens the object makes calls too.
        Answer::Later(mut writing) => loop {
            if let Ok(call) = calls.recv_timeout(STEP) {
                made.push(call);
                steps.send(()).unwrap();
            } else if let Some(written) = poll(&mut writing) {
                break written;
            }
        },
    };
    let mut durable = later(caller.0.durable(committed.unwrap().ticket));
    caller.0.seal();
    loop {
        if let Ok(call) = calls.recv_timeout(STEP) {
            made.push(call);
            assert!(poll(&mut durable).is_none(), "acknowledged before {made:?} has ended");
            steps.send(()).unwrap();
        } else if let Some(durable) = poll(&mut durable) {
            durable.unwrap();
            break;
        }
    }
    assert!(calls.try_recv().is_err(), "something is synced after the acknowledgement");
    made
}

#[tokio::test]
async fn directories_are_synced_before_the_log_and_everything_before_the_acknowledgement() {
    let (told, calls) = channel();
    let (steps, allowed) = channel();
    let disk = SteppedDisk { calls: told, steps: Arc::new(Mutex::new(allowed)) };
    let directory = Directory::new();
    let place: Arc<dyn Place> = directory.open_apart_in("a/root", FSYNC, Arc::new(disk));
    let above = directory.path();
    let caller = Caller::new(&place);
    // Dropped before the place is closed, which makes calls too.
    let (calls, steps) = (calls, steps);
    let entries = |path: &str| Call::Entries(above.join(path));
    let database = above.join("a/root/OBJECT/one");
    let log = || Call::Log(database.clone());

    let mut first = calls_of(&caller, put(&["a"], "value"), &calls, &steps);
    let around = ["", "a", "a/root", "a/root/.ferroflare", "a/root/OBJECT"].map(entries);
    // The files of a new database are synced by themselves, while it is being opened and written to.
    let current = std::fs::read_to_string(database.join("CURRENT")).unwrap();
    let files = ["CURRENT", current.trim_end()].map(|file| Call::File(database.join(file)));
    first.sort();
    let mut expected: Vec<_> = around.into_iter().chain(files).chain([log()]).collect();
    expected.sort();
    assert_eq!(first, expected);

    let second = calls_of(&caller, put(&["b"], "value"), &calls, &steps);
    assert_eq!(second, [log()], "what is durable is not synced again");

    let third = calls_of(&caller, alarm(Some(1)), &calls, &steps);
    let sign = ["a/root/.ferroflare", "a/root/.ferroflare/alarms"];
    assert_eq!(third, sign.into_iter().map(entries).chain([log()]).collect::<Vec<_>>());

    let fourth = calls_of(&caller, alarm(Some(2)), &calls, &steps);
    assert_eq!(fourth, [entries("a/root/.ferroflare/alarms"), log()]);
}
