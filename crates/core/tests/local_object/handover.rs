//! An object is given to another process between commits, never between the writes of one turn.

use ferroflare_core::backend::local::IdleTable;
use ferroflare_core::backend::{CommitOutcome, ObjectStorage, ReadResult};
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::transaction::Transaction;

use super::fake_table::broken;
use super::fixture::{Fixture, commit, fixture, is_later, key, now, value};

#[tokio::test]
async fn an_object_is_not_handed_over_between_two_writes_of_a_turn_of_the_event_loop() {
    let fixture = Fixture::opened();
    let first = now(fixture.put("a", "1"));
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0);
    let second = now(fixture.put("b", "2"));
    assert_eq!(first.ticket, second.ticket);
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);
}

#[tokio::test]
async fn an_object_is_handed_over_between_the_turns_of_transactions_that_queue_for_it() {
    let fixture = Fixture::opened();
    let (first, attempt) = fixture.begin_alone();
    let second = Transaction::new(fixture.object.clone());
    for _ in 0..OPTIMISTIC_ATTEMPTS_MAX {
        let _id = now(second.begin(None));
    }
    let alone = second.begin(None);
    assert!(is_later(&alone), "one turn at a time");
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0, "not while a turn is on");
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    let committed = now(commit(&first, attempt));
    assert!(matches!(committed, CommitOutcome::Committed(..)), "the turn ends well");
    let later = fixture.put("b", "2");
    assert!(is_later(&later), "a later write overtakes no waiting transaction");
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);

    fixture.write_elsewhere("a", "theirs");
    assert!(fixture.finish_opening(), "those who wait need the object again");
    alone.wait().await.unwrap();
    let attempt = second.attempt().unwrap();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![Some(key("theirs"))]));
    let outcome = commit(&second, attempt);
    assert!(fixture.finish_opening(), "its writes need a table that takes them");
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))));
    assert!(later.wait().await.is_ok());
}

#[tokio::test]
async fn attempts_lose_when_the_object_is_handed_over_and_see_nothing_of_what_came_after() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 1);
    fixture.write_elsewhere("a", "theirs");
    let read = attempt.read(vec![key("b")]);
    fixture.finish_opening();
    assert!(matches!(read.wait().await, Ok(ReadResult::Conflict(_))));
    drop(attempt);
    assert!(matches!(transaction.commit(false).wait().await, Ok(CommitOutcome::Lost(_))));
}

#[tokio::test]
async fn an_object_that_is_being_opened_is_handed_over_only_after_it_has_served_those_who_wait() {
    let fixture = fixture();
    let put = fixture.put("a", "1");
    fixture.object.hand_over();
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0, "the put is not sealed");
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);
}

#[tokio::test]
async fn memory_is_not_saved_where_an_attempt_runs_or_a_write_is_not_sealed() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin();
    assert!(matches!(fixture.object.take_idle(), IdleTable::InUse));
    drop(attempt);
    transaction.rollback();
    let _committed = now(fixture.put("a", "1"));
    assert!(matches!(fixture.object.take_idle(), IdleTable::InUse));
    fixture.object.seal();
    assert!(matches!(fixture.object.take_idle(), IdleTable::Taken(_)));
    let read = fixture.read("a");
    fixture.finish_opening();
    assert_eq!(value(read).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn an_object_is_handed_over_after_its_table_was_opened_anew_not_meanwhile() {
    let fixture = Fixture::opened_to_read();
    let put = fixture.put("a", "1");
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0);
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    fixture.object.hand_over();
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);
}

#[tokio::test]
async fn a_hand_over_that_was_asked_for_ends_with_a_failed_upgrade() {
    let fixture = Fixture::opened_to_read();
    let (holder, attempt) = fixture.begin_alone();
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0, "not while a turn is held");
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    fixture.disk.lock().unwrap().failing_openings = 1;
    let outcome = commit(&holder, attempt);
    assert!(fixture.finish_opening());
    assert_eq!(outcome.wait().await, Err(broken("open")));
    let read = fixture.read("a");
    assert!(fixture.finish_opening());
    assert_eq!(fixture.handed_over(), 0, "the failed upgrade has released the object already");
    assert_eq!(value(read).await, None);
}
