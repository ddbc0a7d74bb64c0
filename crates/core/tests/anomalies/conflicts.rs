//! The anomalies of the literature, each by its name.

use ferroflare_core::backend::ReadResult;
use ferroflare_core::range::ListOptions;

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, alarm, clear, found, is_lost, prefix, put, remove};

on_every_place!(
    lost_update,
    lost_update_by_a_plain_write,
    write_skew,
    write_skew_through_a_range,
    phantom_inserted_into_a_listed_range,
    phantom_deleted_from_a_listed_range,
    phantom_by_delete_all,
    phantom_beyond_the_limit_is_none,
    non_repeatable_read,
    read_skew,
    read_skew_between_a_key_and_a_list,
    read_only_transaction_anomaly,
    dirty_read,
    dirty_read_of_a_transaction_that_fails,
    intermediate_read,
    exception_after_a_stale_read_is_retried,
    exception_after_a_true_read_is_reported,
    alarm_lost_update,
);

async fn lost_update(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("counter", "0").await;
    let (one, other) = (caller.begin().await, caller.begin().await);
    for attempt in [&one, &other] {
        assert_eq!(found(attempt.get("counter").await).as_deref(), Some("0"));
        attempt.put("counter", "1");
    }
    assert!(one.commit().await);
    assert!(!other.commit().await);
}

async fn lost_update_by_a_plain_write(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.get("counter").await), None);
    attempt.put("counter", "1");
    caller.put("counter", "5").await;
    assert!(!attempt.commit().await);
    assert_eq!(caller.get("counter").await.as_deref(), Some("5"));
}

async fn write_skew(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["alice", "bob"], "on call")).await;
    let (one, other) = (caller.begin().await, caller.begin().await);
    for (attempt, leaver) in [(&one, "alice"), (&other, "bob")] {
        for name in ["alice", "bob"] {
            assert_eq!(found(attempt.get(name).await).as_deref(), Some("on call"));
        }
        attempt.put(leaver, "away");
    }
    assert!(one.commit().await);
    assert!(!other.commit().await);
}

async fn write_skew_through_a_range(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let (one, other) = (caller.begin().await, caller.begin().await);
    for (attempt, booking) in [(&one, "room:1"), (&other, "room:2")] {
        assert!(found(attempt.keys(&prefix("room:")).await).is_empty());
        attempt.put(booking, "taken");
    }
    assert!(other.commit().await);
    assert!(!one.commit().await);
    assert_eq!(caller.keys(&prefix("room:")).await, ["room:2"]);
}

async fn phantom_inserted_into_a_listed_range(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["item:1", "item:3"], "value")).await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.keys(&prefix("item:")).await).len(), 2);
    attempt.put("count", "2");
    caller.put("item:2", "phantom").await;
    assert!(!attempt.commit().await);
}

async fn phantom_deleted_from_a_listed_range(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["item:1", "item:3"], "value")).await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.keys(&prefix("item:")).await).len(), 2);
    attempt.put("count", "2");
    caller.write(remove(&["item:3"])).await;
    assert!(!attempt.commit().await);
}

async fn phantom_by_delete_all(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("item:1", "value").await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.keys(&prefix("item:")).await).len(), 1);
    attempt.put("count", "1");
    caller.write(clear()).await;
    assert!(!attempt.commit().await);
}

async fn phantom_beyond_the_limit_is_none(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["item:1", "item:3"], "value")).await;
    let attempt = caller.begin().await;
    let first = ListOptions { limit: Some(1), ..prefix("item:") };
    assert_eq!(found(attempt.keys(&first).await), ["item:1"]);
    attempt.put("first", "item:1");
    caller.put("item:2", "unseen").await;
    caller.write(remove(&["item:3"])).await;
    assert!(attempt.commit().await);
}

async fn non_repeatable_read(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "old").await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("old"));
    caller.put("a", "new").await;
    let again = attempt.get("a").await;
    assert!(is_lost(&again) || again == ReadResult::Value(Some("old".into())), "{again:?}");
    assert!(!attempt.commit().await);
}

async fn read_skew(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "old")).await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("old"));
    caller.write(put(&["a", "b"], "new")).await;
    let other = attempt.get("b").await;
    assert!(is_lost(&other) || other == ReadResult::Value(Some("old".into())), "{other:?}");
}

async fn read_skew_between_a_key_and_a_list(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("count", "0").await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.get("count").await).as_deref(), Some("0"));
    let mut both = put(&["item:1"], "value");
    both.put("count".as_bytes().into(), "1".as_bytes().into());
    caller.write(both).await;
    let listed = attempt.keys(&prefix("item:")).await;
    assert!(is_lost(&listed) || listed == ReadResult::Value(vec![]), "{listed:?}");
}

/// Fekete, O'Neil and O'Neil (2004): a reader sees a later commit without an earlier one.
async fn read_only_transaction_anomaly(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["savings", "checking"], "0")).await;
    let withdraw = caller.begin().await;
    assert_eq!(found(withdraw.get("savings").await).as_deref(), Some("0"));
    assert_eq!(found(withdraw.get("checking").await).as_deref(), Some("0"));
    let deposit = caller.begin().await;
    assert_eq!(found(deposit.get("savings").await).as_deref(), Some("0"));
    deposit.put("savings", "20");
    assert!(deposit.commit().await);
    let report = caller.begin().await;
    assert_eq!(found(report.get("savings").await).as_deref(), Some("20"));
    assert_eq!(found(report.get("checking").await).as_deref(), Some("0"));
    assert!(report.commit().await);
    withdraw.put("checking", "-11");
    assert!(!withdraw.commit().await, "the report has shown the deposit without the withdrawal");
}

async fn dirty_read(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempt = caller.begin().await;
    attempt.put("a", "uncommitted");
    assert_eq!(caller.get("a").await, None);
    assert!(caller.keys(&ListOptions::default()).await.is_empty());
    drop(attempt);
    assert_eq!(caller.get("a").await, None);
}

async fn dirty_read_of_a_transaction_that_fails(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let reader = caller.begin().await;
    let attempt = caller.begin().await;
    attempt.put("a", "discarded");
    assert_eq!(found(reader.get("a").await), None);
    assert!(attempt.fail().await);
    assert_eq!(caller.get("a").await, None);
    assert!(reader.commit().await, "a transaction that has failed has written nothing");
}

async fn intermediate_read(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempt = caller.begin().await;
    attempt.put("a", "intermediate");
    assert_eq!(caller.get("a").await, None);
    attempt.put("a", "final");
    assert!(attempt.commit().await);
    assert_eq!(caller.get("a").await.as_deref(), Some("final"));
}

async fn exception_after_a_stale_read_is_retried(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "1").await;
    let attempt = caller.begin().await;
    found(attempt.get("a").await);
    caller.put("a", "2").await;
    assert!(!attempt.fail().await, "the exception may come from the stale value: run it again");
}

async fn exception_after_a_true_read_is_reported(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "1").await;
    let attempt = caller.begin().await;
    found(attempt.get("a").await);
    attempt.put("a", "2");
    caller.put("b", "elsewhere").await;
    assert!(attempt.fail().await);
    assert_eq!(caller.get("a").await.as_deref(), Some("1"));
}

async fn alarm_lost_update(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.alarm().await), None);
    attempt.0.set_alarm(Some(10)).unwrap();
    caller.write(alarm(Some(5))).await;
    assert!(!attempt.commit().await);
    assert_eq!(caller.alarm().await, Some(5));
}
