//! Overlays: what lies below is read and never written, savepoints take back exactly what was written in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferroflare_core::backend::files::{FileOptions, FileStore};
use ferroflare_core::backend::memory::MemoryStore;
use ferroflare_core::backend::overlay::OverlayStore;
use ferroflare_core::backend::{AlarmEnd, ObjectStorage, ReadView, Store};
use ferroflare_core::key::Entry;
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::write_batch::WriteBatch;

use crate::places::{Directory, no_threads, unlike_others};
use crate::seed::{Random, cases, seed};
use crate::support::{
    Caller, alarm, clear, fresh, key, later, names, now, object_key, prefix, put, remove, text,
};

/// A place in memory with an object `one`, and an overlay above it.
fn above_memory() -> (Arc<dyn Store>, Arc<OverlayStore>, Arc<dyn Store>) {
    let below: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut stored = put(&["a", "b", "c"], "below");
    stored.set_alarm(Some(10));
    now(below.object(&object_key("one")).unwrap().write(stored, None)).unwrap();
    let overlay = Arc::new(OverlayStore::new(below.clone(), no_threads()));
    (below, overlay.clone(), overlay)
}

#[tokio::test]
async fn reads_fall_through_and_writes_stay_above() {
    let (below, _, place) = above_memory();
    let (stored, caller) = (Caller::new(&below), Caller::new(&place));
    assert_eq!(caller.get("a").await.as_deref(), Some("below"));
    assert_eq!(caller.write(remove(&["b", "missing"])).await.removed, 1);
    caller.put("d", "above").await;
    caller.write(alarm(Some(5))).await;
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "c", "d"]);
    assert_eq!(caller.alarm().await, Some(5));
    assert_eq!(place.alarms(&["OBJECT".into()]).unwrap(), [(5, object_key("one"))]);
    assert!(caller.take_alarm(5).await);
    assert!(place.alarms(&["OBJECT".into()]).unwrap().is_empty());
    assert_eq!(stored.keys(&ListOptions::default()).await, ["a", "b", "c"]);
    assert_eq!(stored.alarm().await, Some(10));
}

#[tokio::test]
async fn an_alarm_below_is_pending_above_until_it_is_taken_there() {
    let (below, overlay, place) = above_memory();
    let caller = Caller::new(&place);
    let pending = || place.alarms(&["OBJECT".into()]).unwrap();
    assert_eq!(pending(), [(10, object_key("one"))]);
    overlay.push().unwrap();
    assert!(caller.take_alarm(10).await);
    assert!(!caller.take_alarm(10).await);
    assert!(pending().is_empty());
    overlay.pop().unwrap();
    assert_eq!((pending(), caller.alarm().await), (vec![(10, object_key("one"))], Some(10)));
    assert_eq!(Caller::new(&below).alarm().await, Some(10));
}

#[tokio::test]
async fn a_savepoint_takes_the_claims_of_its_alarms_with_it() {
    let (below, overlay, place) = above_memory();
    let caller = Caller::new(&place);
    let pending = || place.alarms(&["OBJECT".into()]).unwrap();
    let claim = caller.claim(10).await.unwrap();
    assert_eq!((pending(), caller.alarm().await), (vec![], None));
    assert!(caller.finish(claim.id, AlarmEnd::Released).await);
    overlay.push().unwrap();
    caller.write(alarm(Some(20))).await;
    let claim = caller.claim(20).await.unwrap();
    caller.finish(claim.id, AlarmEnd::Postponed).await;
    assert_eq!((pending(), caller.alarm().await), (vec![], Some(20)));
    overlay.pop().unwrap();
    assert_eq!((pending(), caller.alarm().await), (vec![(10, object_key("one"))], Some(10)));
    assert_eq!(caller.go_on(claim.id).await, None);
    let claim = caller.claim(10).await.unwrap();
    assert!(caller.finish(claim.id, AlarmEnd::Handled).await);
    assert_eq!((pending(), caller.alarm().await), (vec![], None));
    assert_eq!(Caller::new(&below).alarm().await, Some(10), "what is below stays");
}

#[tokio::test]
async fn objects_are_those_below_and_above_which_hold_anything() {
    let (below, overlay, place) = above_memory();
    let names =
        |names: Vec<Arc<str>>| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let ids = || names(now(place.object_ids("OBJECT")).unwrap());
    overlay.push().unwrap();
    Caller::of(&place, &object_key("two")).put("a", "above").await;
    assert_eq!(ids(), ["one", "two"]);
    let mut nothing = clear();
    nothing.set_alarm(None);
    Caller::new(&place).write(nothing).await;
    assert_eq!(ids(), ["two"]);
    overlay.pop().unwrap();
    assert_eq!(ids(), ["one"]);
    assert_eq!(names(now(below.object_ids("OBJECT")).unwrap()), ["one"]);
    assert_eq!(names(now(place.object_names()).unwrap()), ["OBJECT"]);
}

#[tokio::test]
async fn what_was_there_before_the_first_savepoint_goes_with_a_pop_too_many() {
    let (_, overlay, place) = above_memory();
    let caller = Caller::new(&place);
    caller.write(clear()).await;
    caller.write(alarm(None)).await;
    caller.put("z", "above").await;
    overlay.pop().unwrap();
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "b", "c"]);
    assert_eq!(caller.alarm().await, Some(10));
}

#[tokio::test]
async fn an_attempt_that_has_read_what_is_taken_back_loses() {
    let (_, overlay, place) = above_memory();
    let caller = Caller::new(&place);
    for alone in [false, true] {
        overlay.push().unwrap();
        caller.put("a", "above").await;
        let attempt = if alone { caller.begin_alone().await } else { caller.begin().await };
        attempt.get("a").await;
        overlay.pop().unwrap();
        attempt.put("b", "never");
        assert!(!attempt.commit().await);
        assert_eq!(caller.get("b").await.as_deref(), Some("below"));
    }
}

#[tokio::test]
async fn hidden_entries_do_not_shorten_limited_lists() {
    let below: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let keys: Vec<String> = (0..1000).map(|number| format!("k{number:04}")).collect();
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    Caller::new(&below).write(put(&all, "below")).await;
    let place: Arc<dyn Store> = Arc::new(OverlayStore::new(below, no_threads()));
    let caller = Caller::new(&place);
    caller.write(remove(&all[..990])).await;
    let first = ListOptions { limit: Some(3), ..prefix("k") };
    assert_eq!(caller.keys(&first).await, all[990..993]);
    let last = ListOptions { limit: Some(12), reverse: true, ..ListOptions::default() };
    assert_eq!(caller.keys(&last).await.len(), 10);
}

/// What an object is, by a model that copies everything.
#[derive(Clone, Debug, Default, PartialEq)]
struct Copy {
    entries: BTreeMap<String, String>,
    alarm: Option<i64>,
}

#[test]
fn random_savepoints_restore_what_a_copy_restores() {
    let seed = seed();
    println!("FERROFLARE_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..cases(2_000) {
        let (below, overlay, place) = above_memory();
        let objects = ["one", "two"].map(|id| place.object(&object_key(id)).unwrap());
        let mut copies = [state(&objects[0]), state(&objects[1])];
        let mut savepoints = Vec::new();
        for _ in 0..random.below(60) {
            match random.below(8) {
                0 => {
                    overlay.push().unwrap();
                    savepoints.push(copies.clone());
                }
                1 if !savepoints.is_empty() => {
                    overlay.pop().unwrap();
                    copies = savepoints.pop().unwrap();
                }
                _ => {
                    let object = usize::from(random.below(2) == 1);
                    let batch = random_batch(&mut random);
                    apply(&mut copies[object], &batch);
                    now(objects[object].write(batch, None)).unwrap();
                }
            }
            for (object, copy) in objects.iter().zip(&copies) {
                assert_eq!(state(object), *copy);
            }
        }
        let stored = below.object(&object_key("one")).unwrap();
        assert_eq!((state(&stored).entries.len(), state(&stored).alarm), (3, Some(10)));
    }
}

fn random_batch(random: &mut Random) -> WriteBatch {
    let mut batch = WriteBatch::default();
    if random.below(6) == 0 {
        batch.clear();
    }
    for _ in 0..random.below(4) {
        let name = &"abcde"[..][usize::try_from(random.below(5)).unwrap()..][..1];
        match random.below(2) {
            0 => batch.delete(key(name)),
            _ => batch.put(key(name), key(&random.below(100).to_string())),
        }
    }
    match random.below(6) {
        0 => batch.set_alarm(None),
        1 => batch.set_alarm(Some(20)),
        _ => {}
    }
    batch
}

fn apply(copy: &mut Copy, batch: &WriteBatch) {
    if batch.clears() {
        copy.entries.clear();
    }
    for (key, value) in batch.entries() {
        match value {
            Some(value) => copy.entries.insert(text(key), text(value)),
            None => copy.entries.remove(&text(key)),
        };
    }
    copy.alarm = batch.alarm().unwrap_or(copy.alarm);
}

fn state(object: &Arc<dyn ObjectStorage>) -> Copy {
    let entries = fresh(now(object.list(Scan::all(), ReadView::Latest(None))).unwrap());
    let alarm = fresh(now(object.alarm(ReadView::Latest(None))).unwrap());
    let pair = |(key, value): &Entry| (text(key), text(value));
    Copy { entries: entries.iter().map(pair).collect(), alarm }
}

#[test]
fn what_answers_later_is_waited_for() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let directory = Directory::new();
    let open = || {
        let options = FileOptions { fsync: false, ..FileOptions::default() };
        FileStore::open(directory.path(), options, handle.clone(), &mut unlike_others).unwrap()
    };
    let stored = open();
    let object = stored.object(&object_key("one")).unwrap();
    let written = runtime.block_on(object.write(put(&["a", "b"], "below"), None).wait()).unwrap();
    object.seal();
    runtime.block_on(object.durable(written.ticket).wait()).unwrap();
    runtime.block_on(stored.close().wait()).unwrap();

    let spawner = handle.clone();
    let spawn = Arc::new(move |work| {
        drop(spawner.spawn(work));
        true
    });
    let place = OverlayStore::new(Arc::new(open()), spawn);
    let object = place.object(&object_key("one")).unwrap();
    let start = now(object.begin(true, None)).unwrap();
    let context = handle.enter();
    let behind = later(object.write(remove(&["a"]), None));
    drop(context);
    // The only thread of the runtime runs what waited for the turn, and reads below.
    let ending = object.clone();
    runtime.block_on(runtime.spawn(async move { ending.end(start) })).unwrap();
    assert_eq!(runtime.block_on(behind).unwrap().removed, 1);
    let listed = now(object.list(Scan::all(), ReadView::Latest(None))).unwrap();
    assert_eq!(names(fresh(listed)), ["b"]);
    let read = now(object.read(vec![key("b")], ReadView::Latest(None))).unwrap();
    assert_eq!(fresh(read)[0].as_deref().map(text).as_deref(), Some("below"));
    runtime.block_on(place.close().wait()).unwrap();
}
