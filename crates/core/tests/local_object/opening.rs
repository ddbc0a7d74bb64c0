//! Operations wait for an object that is being opened, and an object that cannot be opened fails them.

use ferroflare_core::Error;
use ferroflare_core::backend::{CommitOutcome, Committed, ObjectStorage, ReadResult};
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::Transaction;
use ferroflare_core::write_batch::WriteBatch;

use super::fake_table::broken;
use super::fixture::{commit, fixture, is_later, key, now, value};

#[tokio::test]
async fn everybody_who_waits_for_an_opening_that_fails_gets_the_error_and_the_next_one_tries_again()
{
    let fixture = fixture();
    fixture.disk.lock().unwrap().failing_openings = 2;
    for _ in 0..2 {
        let (put, read, other) = (fixture.put("a", "1"), fixture.read("a"), fixture.put("b", "2"));
        assert!(fixture.finish_opening());
        assert_eq!(put.wait().await, Err(broken("open")));
        assert_eq!(read.wait().await, Err(broken("open")));
        assert_eq!(other.wait().await, Err(broken("open")));
    }
    let put = fixture.put("a", "1");
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn one_opening_serves_all_who_wait_in_the_order_of_their_calls() {
    let fixture = fixture();
    let first = fixture.put("a", "1");
    let read = fixture.read("a");
    let second = fixture.put("a", "2");
    assert_eq!(fixture.disk.lock().unwrap().openings.len(), 1);
    fixture.finish_opening();
    assert_eq!(value(read).await.as_deref(), Some("1"));
    let (first, second) = (first.wait().await.unwrap(), second.wait().await.unwrap());
    assert_eq!(first.ticket, second.ticket, "writes of one turn are one batch");
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_transaction_that_began_before_another_process_created_the_object_loses() {
    let fixture = fixture();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.write_elsewhere("a", "theirs");
    attempt.put(vec![(key("a"), key("mine"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    fixture.finish_opening();
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))));
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn no_attempt_sees_an_object_both_before_and_after_another_process_created_it() {
    let fixture = fixture();
    let (_transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.write_elsewhere("b", "theirs");
    let read = attempt.list(Scan::new(&ListOptions::default()));
    fixture.finish_opening();
    assert!(matches!(read.wait().await, Ok(ReadResult::Conflict(_))));
}

#[tokio::test]
async fn a_transaction_that_creates_the_object_itself_commits_at_once() {
    let fixture = fixture();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    fixture.finish_opening();
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))));
}

#[tokio::test]
async fn what_waits_behind_a_turn_goes_before_what_came_later_and_waits_for_the_table() {
    let fixture = fixture();
    let (first, attempt) = fixture.begin_alone();
    let second = Transaction::new(fixture.object.clone());
    for _ in 0..OPTIMISTIC_ATTEMPTS_MAX {
        let _id = now(second.begin(None));
    }
    let alone = second.begin(None);
    let put = fixture.put("a", "later");
    drop(attempt);
    first.rollback();
    fixture.finish_opening();
    alone.wait().await.unwrap();
    let attempt = second.attempt().unwrap();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    assert!(matches!(now(commit(&second, attempt)), CommitOutcome::Committed(..)));
    assert!(put.wait().await.is_ok());
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("later"));
}

#[tokio::test]
async fn reads_and_removals_behind_a_turn_create_no_object() {
    let fixture = fixture();
    let (holder, attempt) = fixture.begin_alone();
    let mut clearing = WriteBatch::default();
    clearing.clear();
    let cleared = fixture.object.write(clearing, None);
    let (read, begin) = (fixture.read("a"), fixture.object.begin(true, None));
    assert!(is_later(&cleared) && is_later(&read) && is_later(&begin));
    drop(attempt);
    holder.rollback();
    assert_eq!(cleared.wait().await, Ok(Committed::default()));
    assert_eq!(value(read).await, None);
    fixture.object.end(begin.wait().await.unwrap());
    assert!(!fixture.finish_opening(), "no operation has stored anything");
}

#[tokio::test]
async fn removing_from_a_closed_object_that_does_not_exist_fails_like_any_other_operation() {
    let fixture = fixture();
    assert!(fixture.object.close().is_none());
    let mut clearing = WriteBatch::default();
    clearing.clear();
    assert_eq!(fixture.object.write(clearing, None).wait().await, Err(Error::Closed));
}

#[tokio::test]
async fn an_object_that_is_closed_while_it_is_opened_fails_those_who_wait_and_keeps_no_table() {
    let fixture = fixture();
    let put = fixture.put("a", "1");
    assert!(fixture.object.close().is_none());
    assert_eq!(put.wait().await, Err(Error::Closed));
    assert!(fixture.finish_opening());
    assert!(!fixture.object.is_open());
    assert_eq!(fixture.put("a", "1").wait().await, Err(Error::Closed));
    assert!(!fixture.finish_opening());
}

#[tokio::test]
async fn an_alarm_that_is_taken_while_the_object_is_opened_is_sealed_by_itself() {
    let fixture = fixture();
    {
        let mut disk = fixture.disk.lock().unwrap();
        disk.exists = true;
        disk.alarm = Some(100);
    }
    let taken = fixture.object.take_alarm(100);
    let again = fixture.object.take_alarm(100);
    fixture.finish_opening();
    assert_eq!(taken.wait().await, Ok(true));
    assert_eq!(again.wait().await, Ok(false), "one of all who try gets it");
    assert_eq!(fixture.disk.lock().unwrap().alarm, None);
    assert_eq!(fixture.alarms.get(fixture.object.key()), Ok(None));
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 1, "nothing keeps the object here");
}
