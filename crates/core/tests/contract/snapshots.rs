//! Opacity: an attempt sees the state that it started from under its own writes, or learns that it has
//! lost.

use ferroflare_core::backend::ReadResult;
use ferroflare_core::key::Key;
use ferroflare_core::limits::KEYS_MAX;
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::{Error, Result};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, alarm, clear, found, is_lost, key, prefix, put, remove, values};

on_every_place!(
    own_writes_are_seen_by_the_attempt_alone,
    own_writes_lie_over_lists,
    limits_count_own_and_committed_entries_together,
    deletes_count_each_existing_key_once,
    reads_never_return_what_was_written_after_the_start,
    a_lost_attempt_stays_lost,
    an_attempt_writes_at_most_128_keys,
);

async fn own_writes_are_seen_by_the_attempt_alone(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "old")).await;
    let attempt = caller.begin().await;
    attempt.put("a", "own");
    assert_eq!(found(attempt.delete(&["b"]).await), 1);
    attempt.0.set_alarm(Some(9)).unwrap();
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("own"));
    assert_eq!(found(attempt.get("b").await), None);
    assert_eq!(found(attempt.alarm().await), Some(9));
    assert_eq!(caller.get("a").await.as_deref(), Some("old"));
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "b"]);
    assert_eq!(caller.alarm().await, None);
    let beside = caller.begin().await;
    assert_eq!(found(beside.get("a").await).as_deref(), Some("old"));
    assert!(attempt.commit().await);
    assert_eq!(caller.get("a").await.as_deref(), Some("own"));
    assert_eq!(caller.get("b").await, None);
    assert_eq!(caller.alarm().await, Some(9));
}

async fn own_writes_lie_over_lists(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["b", "d", "f"], "old")).await;
    let attempt = caller.begin().await;
    attempt.0.put(values(&[("a", "own"), ("d", "own"), ("e", "own"), ("g", "own")])).unwrap();
    found(attempt.delete(&["b", "missing"]).await);
    let everything =
        found(attempt.0.list(Scan::new(&ListOptions::default())).wait().await.unwrap());
    let expected = values(&[("a", "own"), ("d", "own"), ("e", "own"), ("f", "old"), ("g", "own")]);
    assert_eq!(everything, expected);
    let reverse = ListOptions { reverse: true, ..ListOptions::default() };
    let reversed = found(attempt.0.list(Scan::new(&reverse)).wait().await.unwrap());
    assert!(reversed.iter().eq(expected.iter().rev()));
    let part = ListOptions { start: Some(b"b"), end: Some(b"e"), ..ListOptions::default() };
    assert_eq!(found(attempt.keys(&part).await), ["d"]);
}

async fn limits_count_own_and_committed_entries_together(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["b", "d", "f"], "old")).await;
    for own_puts in [&["a"][..], &["c", "e"], &["g"], &["b"], &[]] {
        for own_deletes in [&["b"][..], &["b", "d"], &["d", "f"], &["b", "d", "f"], &[]] {
            let attempt = caller.begin().await;
            found(attempt.delete(own_deletes).await);
            for name in own_puts {
                attempt.put(name, "own");
            }
            let mut expected = vec!["b", "d", "f"];
            expected.retain(|name| !own_deletes.contains(name));
            expected.extend(own_puts);
            expected.sort_unstable();
            expected.dedup();
            for (limit, reverse) in (1..6).flat_map(|limit| [(limit, false), (limit, true)]) {
                let mut expected = expected.clone();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(limit);
                let options = ListOptions { limit: Some(limit), reverse, ..ListOptions::default() };
                let listed = found(attempt.keys(&options).await);
                assert_eq!(listed, expected, "{own_puts:?} {own_deletes:?} {options:?}");
            }
        }
    }
}

async fn deletes_count_each_existing_key_once(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "old")).await;
    let attempt = caller.begin().await;
    attempt.put("own", "value");
    assert_eq!(found(attempt.delete(&["a", "a", "missing", "own"]).await), 2);
    assert_eq!(found(attempt.delete(&["a", "b"]).await), 1, "`a` is gone already");
    assert!(attempt.commit().await);
    assert!(caller.keys(&ListOptions::default()).await.is_empty());
}

async fn reads_never_return_what_was_written_after_the_start(place_under_test: &dyn TestPlace) {
    let caller = Caller::new(&place_under_test.open().await);
    let mut old = clear();
    for name in ["a", "r:1", "r:3"] {
        old.put(key(name), key("old"));
    }
    old.set_alarm(Some(1));
    let later = [
        put(&["a", "r:1"], "new"),
        put(&["r:2"], "new"),
        remove(&["a", "r:3"]),
        clear(),
        alarm(Some(2)),
        alarm(None),
    ];
    for write in later {
        caller.write(old.clone()).await;
        let attempts = [caller.begin().await, caller.begin().await, caller.begin().await];
        if place_under_test.starts_at_first_read() {
            for attempt in &attempts {
                found(attempt.get("untouched").await);
            }
        }
        caller.write(write.clone()).await;
        let value = attempts[0].get("a").await;
        assert!(is_lost_or(&value, &Some("old".into())), "{write:?}: {value:?}");
        let names = attempts[1].keys(&prefix("r:")).await;
        assert!(is_lost_or(&names, &vec!["r:1".into(), "r:3".into()]), "{write:?}: {names:?}");
        let alarm = attempts[2].alarm().await;
        assert!(is_lost_or(&alarm, &Some(1)), "{write:?}: {alarm:?}");
    }
}

fn is_lost_or<T: PartialEq>(read: &ReadResult<T>, old: &T) -> bool {
    match read {
        ReadResult::Value(found) => found == old,
        ReadResult::Conflict(_) => true,
    }
}

async fn a_lost_attempt_stays_lost(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "old")).await;
    let attempt = caller.begin().await;
    found(attempt.get("a").await);
    caller.put("a", "new").await;
    assert!(is_lost(&attempt.get("a").await));
    assert!(is_lost(&attempt.get("b").await));
    assert!(is_lost(&attempt.keys(&ListOptions::default()).await));
    assert!(is_lost(&attempt.alarm().await));
    attempt.put("b", "never");
    assert!(!attempt.commit().await);
    assert_eq!(caller.get("b").await.as_deref(), Some("old"));
}

async fn an_attempt_writes_at_most_128_keys(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempt = caller.begin().await;
    let name = |n: usize| key(&format!("key:{n:03}"));
    let pairs = |range: std::ops::Range<usize>| range.map(|n| (name(n), key("value"))).collect();
    let delete = async |keys: Vec<Key>| attempt.0.delete(keys).wait().await;
    let full: Result<()> = attempt.0.put(pairs(0..KEYS_MAX - 1));
    full.unwrap();
    assert_eq!(delete(vec![name(0)]).await, Ok(ReadResult::Value(1)), "a key counts once");
    assert_eq!(attempt.0.put(pairs(126..129)), Err(Error::TooManyKeysWritten));
    assert_eq!(delete(vec![name(200), name(201)]).await, Err(Error::TooManyKeysWritten));
    attempt.0.put(vec![(name(127), key("1")), (name(127), key("2"))]).unwrap();
    assert_eq!(attempt.0.put(pairs(128..129)), Err(Error::TooManyKeysWritten));
    attempt.0.set_alarm(Some(1)).unwrap();
    assert!(attempt.commit().await, "what was refused is not written, and the rest is");
    assert_eq!(caller.keys(&prefix("key:")).await.len(), KEYS_MAX - 1);
    assert_eq!(caller.get("key:127").await.as_deref(), Some("2"));
}
