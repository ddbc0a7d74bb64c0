//! Batches that cannot be applied or sealed fail as a whole, and the object is opened again.

use ferroflare_core::backend::{CommitOutcome, ObjectStorage, ReadResult};
use ferroflare_core::write_batch::WriteBatch;

use super::fake_table::broken;
use super::fixture::{Fixture, commit, fixture, is_later, key, now, value};

#[tokio::test]
async fn a_write_that_cannot_be_applied_leaves_nothing() {
    let fixture = Fixture::opened();
    fixture.disk.lock().unwrap().failing_applies = 1;
    assert_eq!(fixture.put("a", "1").wait().await, Err(broken("apply")));
    assert_eq!(value(fixture.read("a")).await, None);
    assert!(fixture.put("a", "2").wait().await.is_ok());
}

#[tokio::test]
async fn a_batch_that_cannot_be_sealed_fails_as_a_whole_and_the_object_starts_anew() {
    let fixture = Fixture::opened();
    let kept = now(fixture.put("kept", "1"));
    fixture.object.seal();
    assert_eq!(fixture.object.durable(kept.ticket).wait().await, Ok(()));
    fixture.disk.lock().unwrap().failing_seals = 1;
    let (a, b) = (now(fixture.put("a", "1")), now(fixture.put("b", "1")));
    assert_eq!(a.ticket, b.ticket);
    let waiting = fixture.object.durable(a.ticket);
    fixture.object.seal();
    assert_eq!(waiting.wait().await, Err(broken("seal")));

    let (read, lost) = (fixture.read("kept"), fixture.read("a"));
    assert!(fixture.finish_opening(), "the table is opened again");
    assert_eq!(value(read).await.as_deref(), Some("1"));
    assert_eq!(value(lost).await, None);
    let again = fixture.put("a", "2");
    assert!(fixture.finish_opening(), "and once more to be written to");
    let again = again.wait().await.unwrap();
    assert!(again.ticket > a.ticket, "a ticket is never given out twice");
    fixture.object.seal();
    assert_eq!(fixture.object.durable(again.ticket).wait().await, Ok(()));
    assert_eq!(fixture.object.durable(a.ticket).wait().await, Err(broken("seal")));
}

#[tokio::test]
async fn a_turn_that_ends_before_the_table_is_there_is_a_batch_that_is_sealed_when_it_comes() {
    let fixture = fixture();
    let (a, b) = (fixture.put("a", "1"), fixture.put("b", "1"));
    fixture.object.seal();
    let c = fixture.put("c", "1");
    assert!(fixture.finish_opening());
    let (a, b, c) = (a.wait().await.unwrap(), b.wait().await.unwrap(), c.wait().await.unwrap());
    assert_eq!(a.ticket, b.ticket);
    assert_eq!(now(fixture.object.durable(a.ticket)), ());
    assert!(c.ticket > a.ticket, "the writes of two turns are two batches");
    let waiting = fixture.object.durable(c.ticket);
    assert!(is_later(&waiting), "the later turn has not ended yet");
    fixture.object.seal();
    assert_eq!(waiting.wait().await, Ok(()));
}

#[tokio::test]
async fn an_attempt_that_runs_when_its_table_fails_loses_and_is_not_blamed_for_it() {
    let fixture = Fixture::opened();
    for alone in [false, true] {
        let (transaction, attempt) = if alone { fixture.begin_alone() } else { fixture.begin() };
        assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
        drop(fixture.object.take_failed());
        attempt.put(vec![(key("a"), key("1"))]).unwrap();
        let outcome = commit(&transaction, attempt);
        fixture.finish_opening();
        assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))), "alone: {alone}");
    }
}

#[tokio::test]
async fn those_who_wait_behind_a_turn_go_on_when_the_table_fails() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin_alone();
    let waiting = fixture.put("a", "1");
    assert!(is_later(&waiting));
    drop(fixture.object.take_failed());
    assert!(fixture.finish_opening());
    assert!(waiting.wait().await.is_ok());
    drop((transaction, attempt));
}

#[tokio::test]
async fn an_attempt_goes_on_when_its_object_is_found_empty_and_removed() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    assert!(fixture.object.take_empty().is_some());
    fixture.disk.lock().unwrap().exists = false;
    assert_eq!(now(attempt.read(vec![key("b")])), ReadResult::Value(vec![None]));
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    fixture.finish_opening();
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))));
}

#[tokio::test]
async fn an_alarm_that_cannot_be_taken_for_good_is_not_taken() {
    let fixture = Fixture::opened();
    let mut writes = WriteBatch::default();
    writes.set_alarm(Some(100));
    let _committed = now(fixture.object.write(writes, None));
    fixture.object.seal();
    fixture.disk.lock().unwrap().failing_seals = 1;
    assert_eq!(fixture.object.take_alarm(100).wait().await, Err(broken("seal")));
    let again = fixture.object.take_alarm(100);
    fixture.finish_opening();
    assert_eq!(again.wait().await, Ok(true));
}

#[tokio::test]
async fn only_an_empty_object_is_vacated() {
    let fixture = Fixture::opened();
    let _committed = now(fixture.put("a", "1"));
    fixture.object.seal();
    assert!(fixture.object.take_empty().is_none());
    let mut writes = WriteBatch::default();
    writes.clear();
    let _committed = now(fixture.object.write(writes, None));
    assert!(fixture.object.take_empty().is_none(), "the clearing is not sealed");
    fixture.object.seal();
    assert!(fixture.object.take_empty().is_some());
}
