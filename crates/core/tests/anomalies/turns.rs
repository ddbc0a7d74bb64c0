//! Turns: an attempt that runs alone commits, the others wait their place, and nothing deadlocks.

use ferroflare_core::backend::ReadView;
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::transaction::Transaction;
use ferroflare_core::{Error, ErrorKind};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, Txn, alarm, found, fresh, get, is_lost, key, prefix, put, won};

on_every_place!(
    an_attempt_with_a_turn_commits_whatever_the_others_do,
    turns_come_in_the_order_of_the_calls,
    writes_and_turns_share_one_queue,
    attempts_beside_a_turn_read_on_and_wait_with_their_commit,
    an_alarm_is_not_taken_during_a_turn,
    an_attempt_that_drops_its_turn_lets_the_others_go_on,
    an_attempt_that_fails_lets_the_others_go_on,
    nested_transaction_inside_a_turn_does_not_deadlock,
    nested_turns_share_the_outer_one,
    after_the_outer_turn_its_guests_are_like_anybody,
    self_conflict_by_a_plain_write_is_reported,
    self_conflict_by_a_nested_transaction_is_reported,
    self_conflict_releases_the_turn,
    a_turn_of_one_object_leaves_the_others_alone,
);

async fn an_attempt_with_a_turn_commits_whatever_the_others_do(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let beside = caller.begin().await;
    let holder = caller.begin_alone().await;
    assert_eq!(found(holder.get("a").await), None);
    beside.put("a", "beside");
    let commit = beside.0.commit(false);
    let write = caller.0.write(put(&["a"], "plain"), None);
    assert_eq!(found(holder.get("a").await), None);
    assert!(found(holder.keys(&prefix("a")).await).is_empty());
    holder.put("a", "holder");
    assert!(holder.commit().await);
    assert!(won(&commit.wait().await.unwrap()));
    write.wait().await.unwrap();
    assert_eq!(caller.get("a").await.as_deref(), Some("plain"));
}

async fn turns_come_in_the_order_of_the_calls(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let mut holder = caller.begin_alone().await;
    let begins: Vec<_> = (0..5).map(|_| caller.0.begin(true, None)).collect();
    for (number, begin) in begins.into_iter().enumerate() {
        holder.put("order", &number.to_string());
        assert!(holder.commit().await);
        holder = Txn::new(&caller, begin.wait().await.unwrap());
        assert_eq!(found(holder.get("order").await), Some(number.to_string()));
    }
}

async fn writes_and_turns_share_one_queue(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let first = caller.0.write(put(&["a"], "first"), None);
    let turn = caller.0.begin(true, None);
    let second = caller.0.write(put(&["a"], "second"), None);
    let late = caller.0.begin(false, None);
    assert!(holder.commit().await);
    let next = Txn::new(&caller, turn.wait().await.unwrap());
    first.wait().await.unwrap();
    assert_eq!(found(next.get("a").await).as_deref(), Some("first"));
    assert!(next.commit().await, "the second write has waited for the second turn");
    second.wait().await.unwrap();
    let late = Txn::new(&caller, late.wait().await.unwrap());
    assert_eq!(found(late.get("a").await).as_deref(), Some("second"));
    assert!(late.commit().await);
}

async fn attempts_beside_a_turn_read_on_and_wait_with_their_commit(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "old")).await;
    let before = caller.begin().await;
    let holder = caller.begin_alone().await;
    let during = caller.begin().await;
    for attempt in [&before, &during] {
        assert_eq!(found(attempt.get("a").await).as_deref(), Some("old"));
    }
    before.put("c", "before");
    let commit = before.0.commit(false);
    found(holder.get("b").await);
    holder.put("a", "holder");
    assert!(holder.commit().await);
    assert!(!won(&commit.wait().await.unwrap()), "the holder has changed what it had read");
    assert!(!during.commit().await);
    assert_eq!(caller.get("c").await, None);
}

async fn an_alarm_is_not_taken_during_a_turn(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(alarm(Some(1))).await;
    let holder = caller.begin_alone().await;
    assert_eq!(found(holder.alarm().await), Some(1));
    let take = caller.0.take_alarm(1);
    assert_eq!(found(holder.alarm().await), Some(1));
    holder.0.set_alarm(Some(100)).unwrap();
    assert!(holder.commit().await);
    assert_eq!(take.wait().await, Ok(false), "it is not due any more");
}

async fn an_attempt_that_drops_its_turn_lets_the_others_go_on(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let write = caller.0.write(put(&["a"], "value"), None);
    let next = caller.0.begin(true, None);
    holder.put("b", "dropped");
    drop(holder);
    write.wait().await.unwrap();
    drop(Txn::new(&caller, next.wait().await.unwrap()));
    caller.put("c", "value").await;
    assert_eq!(caller.get("b").await, None);
}

async fn an_attempt_that_fails_lets_the_others_go_on(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let write = caller.0.write(put(&["a"], "value"), None);
    holder.put("b", "discarded");
    assert!(holder.fail().await);
    write.wait().await.unwrap();
    assert_eq!(caller.get("b").await, None);
}

async fn nested_transaction_inside_a_turn_does_not_deadlock(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let waiting = caller.0.write(put(&["a"], "others"), None);
    let inner = caller.begin_inside(&holder).await;
    let innermost = caller.begin_inside(&inner).await;
    assert_eq!(found(innermost.get("a").await), None);
    innermost.put("a", "innermost");
    assert!(innermost.commit().await);
    caller.0.write(put(&["b"], "inner"), Some(inner.id())).wait().await.unwrap();
    inner.put("c", "inner");
    assert!(inner.commit().await);
    assert_eq!(found(holder.get("z").await), None);
    holder.put("d", "holder");
    assert!(holder.commit().await);
    waiting.wait().await.unwrap();
    assert_eq!(caller.get("a").await.as_deref(), Some("others"));
    for name in ["b", "c", "d"] {
        assert!(caller.get(name).await.is_some(), "{name}");
    }
}

async fn nested_turns_share_the_outer_one(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let inner = caller.0.begin(true, Some(holder.id())).wait().await.unwrap();
    let inner = Txn::new(&caller, inner);
    inner.put("a", "inner");
    assert!(inner.commit().await);
    let waiting = caller.0.write(put(&["a"], "others"), None);
    let view = ReadView::Latest(Some(holder.id()));
    let read = fresh(caller.0.read(vec![key("a")], view).wait().await.unwrap());
    assert_eq!(read, [Some(key("inner"))], "the inner attempt's end is not the end of the turn");
    assert!(holder.commit().await);
    waiting.wait().await.unwrap();
}

async fn after_the_outer_turn_its_guests_are_like_anybody(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let guest = caller.begin_inside(&holder).await;
    assert!(holder.commit().await);
    let next = caller.begin_alone().await;
    found(next.get("a").await);
    guest.put("a", "guest");
    let commit = guest.0.commit(false);
    assert_eq!(found(next.get("a").await), None);
    assert!(next.commit().await);
    assert!(won(&commit.wait().await.unwrap()));
    assert_eq!(caller.get("a").await.as_deref(), Some("guest"));
}

fn assert_names(error: &Error, what: &str) {
    assert_eq!(*error, Error::SelfConflict { what: what.into() });
    assert_eq!(error.kind(), ErrorKind::Usage);
}

async fn self_conflict_by_a_plain_write_is_reported(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempts = std::cell::Cell::new(0);
    let transaction = Transaction::new(caller.0.clone());
    let error = loop {
        let id = transaction.begin(None).wait().await.unwrap();
        attempts.set(attempts.get() + 1);
        let attempt = transaction.attempt().unwrap();
        found(get(&attempt, "a").await.unwrap());
        drop(attempt);
        caller.0.write(put(&["a"], "outside"), Some(id)).wait().await.unwrap();
        match transaction.commit(false).wait().await {
            Ok(outcome) => assert!(!won(&outcome), "{outcome:?}"),
            Err(error) => break error,
        }
    };
    assert_names(&error, "key \"a\"");
    assert_eq!(attempts.get(), OPTIMISTIC_ATTEMPTS_MAX + 1);
}

async fn self_conflict_by_a_nested_transaction_is_reported(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    assert!(found(holder.keys(&prefix("item:")).await).is_empty());
    let inner = caller.begin_inside(&holder).await;
    inner.put("item:1", "inner");
    assert!(inner.commit().await);
    let scan = ferroflare_core::range::Scan::new(&prefix("item:"));
    assert_names(&holder.0.list(scan).wait().await.unwrap_err(), "key \"item:1\"");
    let mut alarm_set = alarm(Some(1));
    alarm_set.put(key("b"), key("value"));
    caller.0.write(alarm_set, Some(holder.id())).wait().await.unwrap();
    assert_names(&holder.0.alarm().wait().await.unwrap_err(), "the alarm");
    assert_names(&holder.0.commit(false).wait().await.unwrap_err(), "key \"item:1\"");
}

async fn self_conflict_releases_the_turn(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    found(holder.get("a").await);
    caller.0.write(put(&["a"], "outside"), Some(holder.id())).wait().await.unwrap();
    let waiting = caller.0.write(put(&["b"], "value"), None);
    assert!(holder.0.commit(false).wait().await.is_err());
    waiting.wait().await.unwrap();
    let next = caller.begin_alone().await;
    assert!(!is_lost(&next.get("a").await));
    assert!(next.commit().await);
}

async fn a_turn_of_one_object_leaves_the_others_alone(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    let other = Caller::of(&place, &crate::support::object_key("other"));
    let holder = caller.begin_alone().await;
    other.put("a", "value").await;
    let beside = other.begin_alone().await;
    beside.put("a", "alone");
    assert!(beside.commit().await);
    assert!(holder.commit().await);
}
