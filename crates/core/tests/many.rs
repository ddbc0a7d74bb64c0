//! Many objects of a directory at once. Few are open, few threads work, and everything ends. Work that others wait for
//! never queues behind work that waits itself.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;
use std::{io, thread};

use ferroflare_core::answer::Pending;
use ferroflare_core::backend::files::FileOptions;
use ferroflare_core::backend::files::disk::{Disk, RealDisk, Unsynced};
use ferroflare_core::backend::files::workers::THREADS_MAX;
use ferroflare_core::backend::files::workers::open_set::OpenSet;
use ferroflare_core::backend::{Committed, ObjectStorage, Store};
use ferroflare_core::range::ListOptions;
use ferroflare_core::{Answer, Error, Result};

use crate::places::{Directory, Opened};
use crate::support::{Caller, alarm, object_key, put};

/// A disk that takes its time, and can be told to stand still.
#[derive(Default)]
struct SlowDisk {
    sync: Duration,
    /// Whether new databases wait before the first of their files is synced.
    halts_creation: Mutex<bool>,
    goes_on: Condvar,
    /// Creations that stand still.
    halted: AtomicUsize,
    /// Whose open objects are counted at each sync.
    counts: OnceLock<Arc<OpenSet>>,
    open_most: AtomicUsize,
}

impl SlowDisk {
    fn new(sync: Duration) -> Arc<Self> {
        Arc::new(Self { sync, ..Self::default() })
    }

    fn halt_creation(&self, halts: bool) {
        *self.halts_creation.lock().unwrap() = halts;
        self.goes_on.notify_all();
    }
}

impl std::fmt::Debug for SlowDisk {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SlowDisk")
    }
}

impl Disk for SlowDisk {
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        RealDisk.entries(directory)
    }

    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>> {
        let halts = self.halts_creation.lock().unwrap();
        self.halted.fetch_add(1, Ordering::Relaxed);
        drop(self.goes_on.wait_while(halts, |halts| *halts).unwrap());
        self.halted.fetch_sub(1, Ordering::Relaxed);
        RealDisk.contents(file)
    }

    fn sync_log(&self, _path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        if let Some(open_set) = self.counts.get() {
            self.open_most.fetch_max(open_set.taken(), Ordering::Relaxed);
        }
        thread::sleep(self.sync);
        sync()
    }
}

fn options(open_objects_max: usize) -> FileOptions {
    FileOptions { fsync: true, open_objects_max }
}

fn caller(place: &Arc<Opened>, id: &str) -> Caller {
    let place: Arc<dyn Store> = place.clone();
    Caller::of(&place, &object_key(id))
}

/// A write that was called for and sealed, and waits.
struct Write {
    caller: Caller,
    answer: Pending<Committed>,
}

impl Write {
    fn begin(place: &Arc<Opened>, id: &str) -> Self {
        let caller = caller(place, id);
        let answer = caller.0.write(put(&["key"], id), None);
        caller.0.seal();
        let answer = match answer {
            Answer::Later(pending) => pending,
            Answer::Now(result) => Box::pin(async { result }),
        };
        Self { caller, answer }
    }

    async fn end(self) -> Result<()> {
        let committed = self.answer.await?;
        self.caller.0.durable(committed.ticket).wait().await
    }
}

fn ids(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|i| format!("object {i}"))
}

async fn write_all(place: &Arc<Opened>, count: usize) {
    let writes: Vec<_> = ids(count).map(|id| Write::begin(place, &id)).collect();
    for write in writes {
        write.end().await.unwrap();
    }
}

async fn check_all(place: &Arc<Opened>, count: usize) {
    for id in ids(count) {
        assert_eq!(caller(place, &id).get("key").await.as_deref(), Some(&*id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_objects_at_once_are_all_written_by_few_threads_with_few_of_them_open() {
    let disk = SlowDisk::new(Duration::from_millis(1));
    let place = Directory::new().open_apart_in("", options(4), disk.clone());
    assert!(disk.counts.set(place.open_set()).is_ok());
    write_all(&place, 500).await;
    let most = disk.open_most.load(Ordering::Relaxed);
    assert!(most <= 4, "{most} were open");
    assert!(
        place.open_set().workers().threads() <= THREADS_MAX,
        "{} threads",
        place.open_set().workers().threads()
    );
    check_all(&place, 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_objects_at_once_are_all_read_and_then_written() {
    let directory = Directory::new();
    let place = directory.open_apart(options(4));
    write_all(&place, 200).await;
    drop(place);
    let place = directory.open_apart(options(4));
    let reads: Vec<_> = ids(200)
        .map(|id| {
            let place = place.clone();
            tokio::spawn(async move {
                let caller = caller(&place, &id);
                assert_eq!(caller.get("key").await.as_deref(), Some(&*id));
                // The object is open to be read, or closed again.
                caller.put("more", &id).await;
            })
        })
        .collect();
    for read in reads {
        read.await.unwrap();
    }
    for id in ids(200) {
        assert_eq!(caller(&place, &id).get("more").await.as_deref(), Some(&*id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_set_at_once_are_all_pending_and_are_taken_at_once() {
    let place = Directory::new().open_apart(options(4));
    let names = ["OBJECT".into()];
    let set: Vec<_> = ids(200)
        .map(|id| {
            let place = place.clone();
            tokio::spawn(async move { caller(&place, &id).write(alarm(Some(7))).await })
        })
        .collect();
    for set in set {
        set.await.unwrap();
    }
    assert_eq!(place.due_alarms(&names, 7).unwrap().len(), 200);
    assert_eq!(place.next_alarm(&names), Ok(Some(7)));
    let takes: Vec<_> =
        ids(200).map(|id| caller(&place, &id)).map(|it| (it.0.take_alarm(7), it)).collect();
    for (take, _) in takes {
        assert_eq!(take.wait().await, Ok(true));
    }
    assert_eq!(place.next_alarm(&names), Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_waits_behind_no_opening() {
    let disk = SlowDisk::new(Duration::ZERO);
    // More than any pool has threads.
    let place = Directory::new().open_apart_in("", options(2000), disk.clone());
    let open = caller(&place, "open");
    open.put("key", "before").await;
    disk.halt_creation(true);
    let writes: Vec<_> = ids(1000).map(|id| Write::begin(&place, &id)).collect();
    while disk.halted.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    open.put("key", "meanwhile").await;
    assert!(disk.halted.load(Ordering::Relaxed) > 0);
    assert!(
        place.open_set().workers().threads() <= THREADS_MAX,
        "{} threads",
        place.open_set().workers().threads()
    );
    disk.halt_creation(false);
    for write in writes {
        write.end().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_while_many_are_being_opened_does_what_was_asked_and_then_ends() {
    let directory = Directory::new();
    let place = directory.open_apart_in("", options(4), SlowDisk::new(Duration::from_millis(1)));
    let writes: Vec<_> = ids(200).map(|id| Write::begin(&place, &id)).collect();
    let closing = place.close();
    let late = caller_of_closed(&writes[0]).write(put(&["late"], "1"), None).wait().await;
    assert_eq!(late, Err(Error::Closed));
    closing.wait().await.unwrap();
    assert_eq!(place.open_set().taken(), 0);
    for write in writes {
        write.end().await.unwrap();
    }
    check_all(&directory.open_apart(options(4)), 200).await;
}

fn caller_of_closed(write: &Write) -> &Arc<dyn ObjectStorage> {
    &write.caller.0
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_keep_all_places_wait_for_other_objects_and_win() {
    let place = Directory::new().open_apart(options(2));
    write_all(&place, 12).await;
    let mut attempts = Vec::new();
    for id in ids(6) {
        let attempt = caller(&place, &id).begin().await;
        attempt.get("key").await;
        attempts.push(attempt);
    }
    for id in ids(12).skip(6) {
        assert_eq!(caller(&place, &id).get("key").await.as_deref(), Some(&*id));
    }
    for attempt in attempts {
        attempt.put("more", "1");
        assert!(attempt.commit().await, "an attempt has lost because others were opened");
    }
    // The limit holds again.
    write_all(&place, 12).await;
    assert!(place.open_set().taken() <= 2, "{} are open", place.open_set().taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_hand_over_many_objects() {
    let directory = Directory::new();
    let sides = [directory.open_apart(options(16)), directory.open_apart(options(16))];
    write_all(&sides[0], 200).await;
    for round in 0..2 {
        let both: Vec<_> = sides
            .iter()
            .flat_map(|side| ids(200).map(|id| (side.clone(), id)))
            .enumerate()
            .map(|(i, (side, id))| {
                tokio::spawn(async move {
                    caller(&side, &id).put(&format!("{round} {}", i / 200), "1").await;
                })
            })
            .collect();
        for one in both {
            one.await.unwrap();
        }
    }
    for id in ids(200) {
        let keys = caller(&sides[0], &id).keys(&ListOptions::default()).await;
        assert_eq!(keys, ["0 0", "0 1", "1 0", "1 1", "key"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_emptied_at_once_leave_nothing() {
    let place = Directory::new().open_apart(options(4));
    write_all(&place, 100).await;
    let all: Vec<_> = ids(100)
        .map(|id| {
            let place = place.clone();
            tokio::spawn(async move { caller(&place, &id).write(crate::support::clear()).await })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    place.close().wait().await.unwrap();
    assert_eq!(place.directory().objects("OBJECT"), Vec::<String>::new());
}
