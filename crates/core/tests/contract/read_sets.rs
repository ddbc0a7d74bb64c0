//! "An attempt commits only if nothing that it read was written since its start", and loses for no
//! other reason.

use ferroflare_core::backend::{CommitOutcome, Conflict, ReadResult, ReadView};
use ferroflare_core::concurrency::ReadSet;
use ferroflare_core::range::{KeyRange, ListOptions, Scan};
use ferroflare_core::write_batch::WriteBatch;

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, Txn, alarm, clear, found, fresh, key, prefix, put, remove};

on_every_place!(
    a_key_that_was_read_conflicts_with_its_writes_only,
    a_range_conflicts_with_writes_inside_it_only,
    a_limited_range_ends_at_its_last_entry,
    a_limit_that_was_not_reached_covers_the_whole_range,
    the_alarm_conflicts_with_alarms_only,
    clearing_conflicts_with_every_key_and_range,
    a_write_of_an_equal_value_is_a_write,
    blind_writes_conflict_with_nothing,
    own_writes_answer_without_a_read_set,
    a_write_before_the_start_is_no_conflict,
    a_key_written_again_conflicts_by_its_newest_write,
    any_number_of_later_commits_is_remembered,
    a_conflict_says_what_was_written,
);

/// Whether an attempt that has made `read` still commits when `write` happens meanwhile.
async fn commits(caller: &Caller, read: impl AsyncFnOnce(&Txn), write: WriteBatch) -> bool {
    let attempt = caller.begin().await;
    read(&attempt).await;
    attempt.put("result", "value");
    caller.write(write).await;
    attempt.commit().await
}

async fn a_key_that_was_read_conflicts_with_its_writes_only(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    for name in ["present", "absent"] {
        caller.write(remove(&["absent"])).await;
        caller.put("present", "value").await;
        let read = async |attempt: &Txn| drop(found(attempt.get(name).await));
        assert!(!commits(&caller, read, put(&[name], "new")).await);
        assert!(!commits(&caller, read, remove(&[name])).await);
        for other in ["", "presen", "present\0", "absent\0", "z"] {
            assert!(commits(&caller, read, put(&[other], "new")).await, "{other:?}");
            assert!(commits(&caller, read, remove(&[other])).await, "{other:?}");
        }
        assert!(commits(&caller, read, alarm(Some(1))).await);
    }
}

async fn a_range_conflicts_with_writes_inside_it_only(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["b", "d"], "value")).await;
    let between = |start_after| ListOptions {
        start: Some(b"b"),
        start_after,
        end: Some(b"e"),
        ..ListOptions::default()
    };
    for reverse in [false, true] {
        let list = |start_after: Option<&'static [u8]>| {
            async move |attempt: &Txn| {
                let options = ListOptions { reverse, ..between(start_after) };
                found(attempt.keys(&options).await);
            }
        };
        for inside in ["b", "b\0", "c", "d", "dz"] {
            assert!(!commits(&caller, list(None), put(&[inside], "new")).await, "{inside:?}");
            assert!(!commits(&caller, list(None), remove(&[inside])).await, "{inside:?}");
            caller.write(put(&["b", "d"], "value")).await;
            caller.write(remove(&["b\0", "c", "dz"])).await;
        }
        for outside in ["", "a", "az", "e", "e\0", "f"] {
            assert!(commits(&caller, list(None), put(&[outside], "new")).await, "{outside:?}");
            assert!(commits(&caller, list(None), remove(&[outside])).await, "{outside:?}");
        }
        assert!(commits(&caller, list(Some(b"b")), put(&["b"], "new")).await);
        assert!(!commits(&caller, list(Some(b"b")), remove(&["b\0"])).await);
        assert!(commits(&caller, list(None), alarm(Some(1))).await);
    }
}

async fn a_limited_range_ends_at_its_last_entry(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let list = |reverse| {
        async move |attempt: &Txn| {
            let options = ListOptions { limit: Some(2), reverse, ..prefix("k") };
            assert_eq!(found(attempt.keys(&options).await).len(), 2);
        }
    };
    let four = put(&["k2", "k4", "k6", "k8"], "value");
    for (reverse, seen, unseen) in [
        (false, ["k0", "k2", "k3", "k4"], ["k4\0", "k5", "k6", "k9"]),
        (true, ["k9", "k8", "k7", "k6"], ["k5", "k4", "k2", "k0"]),
    ] {
        for (name, expected) in
            seen.iter().map(|name| (name, false)).chain(unseen.iter().map(|name| (name, true)))
        {
            for write in [put(&[name], "new"), remove(&[name])] {
                caller.write(clear()).await;
                caller.write(four.clone()).await;
                assert_eq!(
                    commits(&caller, list(reverse), write).await,
                    expected,
                    "{name} {reverse}"
                );
            }
        }
    }
}

async fn a_limit_that_was_not_reached_covers_the_whole_range(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["k2", "k4"], "value")).await;
    for reverse in [false, true] {
        let list = async |attempt: &Txn| {
            let options = ListOptions { limit: Some(3), reverse, ..prefix("k") };
            assert_eq!(found(attempt.keys(&options).await).len(), 2);
        };
        for name in ["k", "k0", "k3", "k9"] {
            assert!(!commits(&caller, list, put(&[name], "new")).await, "{name}");
            caller.write(remove(&[name])).await;
        }
        assert!(commits(&caller, list, put(&["l"], "new")).await);
    }
}

async fn the_alarm_conflicts_with_alarms_only(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let read = async |attempt: &Txn| {
        found(attempt.alarm().await);
    };
    assert!(!commits(&caller, read, alarm(Some(1))).await);
    assert!(!commits(&caller, read, alarm(None)).await);
    assert!(commits(&caller, read, put(&["a"], "value")).await);
    assert!(commits(&caller, read, clear()).await);
    caller.write(alarm(Some(1))).await;
    let attempt = caller.begin().await;
    found(attempt.alarm().await);
    assert!(caller.take_alarm(1).await);
    assert!(!attempt.commit().await, "taking the alarm is a write");
    let attempt = caller.begin().await;
    found(attempt.alarm().await);
    assert!(!caller.take_alarm(1).await);
    assert!(attempt.commit().await, "finding no alarm is none");
}

async fn clearing_conflicts_with_every_key_and_range(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let read = async |attempt: &Txn| drop(found(attempt.get("a").await));
    let list = async |attempt: &Txn| drop(found(attempt.keys(&prefix("z")).await));
    for _ in 0..2 {
        caller.write(put(&["a", "z"], "value")).await;
        assert!(!commits(&caller, read, clear()).await);
        caller.write(put(&["a", "z"], "value")).await;
        assert!(!commits(&caller, list, clear()).await);
    }
    let attempt = caller.begin().await;
    attempt.put("blind", "value");
    caller.write(clear()).await;
    assert!(attempt.commit().await);
    assert_eq!(caller.keys(&ListOptions::default()).await, ["blind"]);
}

async fn a_write_of_an_equal_value_is_a_write(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "same").await;
    let read = async |attempt: &Txn| drop(found(attempt.get("a").await));
    assert!(!commits(&caller, read, put(&["a"], "same")).await);
}

async fn blind_writes_conflict_with_nothing(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempts = [caller.begin().await, caller.begin().await, caller.begin().await];
    for (number, attempt) in attempts.iter().enumerate() {
        attempt.put("a", &number.to_string());
        attempt.0.set_alarm(Some(i64::try_from(number).unwrap())).unwrap();
    }
    caller.put("a", "plain").await;
    for attempt in attempts {
        assert!(attempt.commit().await);
    }
    assert_eq!((caller.get("a").await.as_deref(), caller.alarm().await), (Some("2"), Some(2)));
}

async fn own_writes_answer_without_a_read_set(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "old").await;
    let attempt = caller.begin().await;
    attempt.put("a", "own");
    attempt.0.set_alarm(Some(1)).unwrap();
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("own"));
    assert_eq!(found(attempt.alarm().await), Some(1));
    let nothing = ListOptions { limit: Some(0), ..ListOptions::default() };
    assert!(found(attempt.keys(&nothing).await).is_empty());
    let inverted = ListOptions { start: Some(b"b"), end: Some(b"a"), ..ListOptions::default() };
    assert!(found(attempt.keys(&inverted).await).is_empty());
    caller.put("a", "new").await;
    caller.write(alarm(Some(2))).await;
    assert!(attempt.commit().await);
    assert_eq!((caller.get("a").await.as_deref(), caller.alarm().await), (Some("own"), Some(1)));
}

async fn a_write_before_the_start_is_no_conflict(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let older = caller.begin().await;
    caller.write(put(&["a", "r:1"], "value")).await;
    caller.write(alarm(Some(1))).await;
    caller.write(clear()).await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.get("a").await), None);
    assert!(found(attempt.keys(&prefix("r:")).await).is_empty());
    assert_eq!(found(attempt.alarm().await), Some(1));
    drop(older);
    assert_eq!(found(attempt.get("a").await), None);
    assert!(attempt.commit().await);
}

async fn a_key_written_again_conflicts_by_its_newest_write(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let older = caller.begin().await;
    caller.put("a", "1").await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("1"));
    caller.put("a", "2").await;
    drop(older);
    assert!(!attempt.commit().await, "forgetting the first write has hidden the second");
}

async fn any_number_of_later_commits_is_remembered(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let readers = [caller.begin().await, caller.begin().await, caller.begin().await];
    found(readers[0].get("a").await);
    found(readers[1].keys(&prefix("b")).await);
    found(readers[2].get("c").await);
    caller.write(put(&["a", "b"], "value")).await;
    for _ in 0..1000 {
        caller.put("other", "value").await;
    }
    let [key_reader, range_reader, other_reader] = readers;
    assert!(!key_reader.commit().await);
    assert!(!range_reader.commit().await);
    assert!(other_reader.commit().await, "what it has read was never written");
}

async fn a_conflict_says_what_was_written(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let object = &caller.0;
    let key_read = ReadSet { keys: [key("a"), key("b")].into(), ..ReadSet::default() };
    let listed = ReadSet { ranges: vec![KeyRange::all()], ..ReadSet::default() };
    let alarm_read = ReadSet { alarm: true, ..ReadSet::default() };
    let cases = [
        (put(&["b"], "new"), key_read, "key \"b\""),
        (put(&["c"], "new"), listed.clone(), "key \"c\""),
        (clear(), listed, "every key"),
        (alarm(Some(1)), alarm_read, "the alarm"),
    ];
    let untouched = || vec![key("untouched")];
    for (write, read_set, what) in cases {
        let start = object.begin(false, None).wait().await.unwrap();
        // A place may start an attempt with its first read.
        fresh(object.read(untouched(), ReadView::Since(start)).wait().await.unwrap());
        caller.write(write).await;
        let outcome = object.commit(start, read_set, put(&["never"], "value")).wait().await;
        assert_eq!(outcome, Ok(CommitOutcome::Lost(Conflict { what: what.into(), own: false })));
    }
    assert_eq!(caller.get("never").await, None);
    let start = object.begin(false, None).wait().await.unwrap();
    fresh(object.read(untouched(), ReadView::Since(start)).wait().await.unwrap());
    caller.put("a", "new").await;
    let stale = || ReadResult::Conflict(Conflict { what: "key \"a\"".into(), own: false });
    let view = ReadView::Since(start);
    assert_eq!(object.read(vec![key("b"), key("a")], view).wait().await, Ok(stale()));
    let scan = Scan::new(&ListOptions::default());
    let Ok(ReadResult::Conflict(conflict)) = object.list(scan, view).wait().await else {
        panic!("a list that meets a newer key is not stale");
    };
    assert_eq!(conflict, Conflict { what: "key \"a\"".into(), own: false });
    object.end(start);
}
