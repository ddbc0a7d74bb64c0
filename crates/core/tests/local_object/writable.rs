//! A table that takes no writes is opened again for the first write; running attempts go on.

use ferroflare_core::backend::{CommitOutcome, ReadResult};

use super::fake_table::broken;
use super::fixture::{Fixture, commit, is_later, key, now, value};

#[tokio::test]
async fn reading_opens_a_table_to_be_read_and_the_first_write_one_that_takes_writes() {
    let fixture = Fixture::opened_to_read();
    assert_eq!(value(fixture.read("a")).await, None);
    let (put, read, other) = (fixture.put("a", "1"), fixture.read("a"), fixture.put("b", "2"));
    assert!(is_later(&put) && is_later(&read) && is_later(&other), "in the order of the calls");
    assert_eq!(fixture.disk.lock().unwrap().upgraded, 1);
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    assert_eq!(value(read).await.as_deref(), Some("1"));
    assert!(other.wait().await.is_ok());
    let _committed = now(fixture.put("c", "3"));
    assert!(!fixture.finish_opening(), "nothing is opened again");
}

#[tokio::test]
async fn a_transaction_that_has_read_commits_although_its_table_is_opened_anew() {
    for alone in [false, true] {
        let fixture = Fixture::opened_to_read();
        fixture.write_elsewhere("a", "1");
        let (transaction, attempt) = if alone { fixture.begin_alone() } else { fixture.begin() };
        assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![Some(key("1"))]));
        attempt.put(vec![(key("a"), key("2"))]).unwrap();
        let outcome = commit(&transaction, attempt);
        assert!(fixture.finish_opening());
        assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))), "alone: {alone}");
    }
}

#[tokio::test]
async fn a_write_that_waits_for_a_table_that_takes_writes_still_conflicts_with_attempts() {
    let fixture = Fixture::opened_to_read();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    let put = fixture.put("a", "1");
    attempt.put(vec![(key("b"), key("2"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))));
}

#[tokio::test]
async fn attempts_lose_when_a_table_cannot_be_opened_anew_because_the_object_was_let_go() {
    let fixture = Fixture::opened_to_read();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.disk.lock().unwrap().failing_openings = 1;
    let put = fixture.put("b", "1");
    assert!(fixture.finish_opening());
    assert_eq!(put.wait().await, Err(broken("open")));
    fixture.write_elsewhere("a", "theirs");
    attempt.put(vec![(key("c"), key("mine"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    assert!(fixture.finish_opening());
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))));
}
