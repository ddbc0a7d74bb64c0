//! Attempts and answers that are dropped half-way leave nothing behind: no turn, no memory, no waiting
//! jobs.

use std::sync::Arc;

use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::key::Key;
use ferroflare_core::transaction::Transaction;
use ferroflare_core::write_batch::WriteBatch;

use crate::places::{Memory, TestPlace};
use crate::support::{Caller, found, get, is_lost, key, later, now, poll, put};

/// Writes something, and gives how many references to it the object then keeps. It forgets them when no running attempt
/// can meet the write any more. A removal of a key that does not exist is in no table.
fn remembered(caller: &Caller) -> usize {
    let name: Key = Arc::from(&b"no such key"[..]);
    let mut batch = WriteBatch::default();
    batch.delete(name.clone());
    now(caller.0.write(batch, None)).unwrap();
    Arc::strong_count(&name) - 1
}

#[tokio::test]
async fn commits_are_remembered_only_while_an_attempt_runs() {
    assert!(Memory.log_shares_keys());
    let caller = Caller::new(&Memory.open().await);
    assert_eq!(remembered(&caller), 0);
    let attempt = caller.begin().await;
    assert_ne!(remembered(&caller), 0);
    assert!(attempt.commit().await);
    assert_eq!(remembered(&caller), 0);
}

#[tokio::test]
async fn commits_are_forgotten_when_the_last_attempt_that_could_meet_them_ends() {
    let caller = Caller::new(&Memory.open().await);
    let names: Vec<Key> = (0..4).map(|number| key(&format!("missing:{number}"))).collect();
    let mut attempts = Vec::new();
    for name in &names {
        attempts.push(Some(caller.begin().await));
        let mut batch = WriteBatch::default();
        batch.delete(name.clone());
        caller.write(batch).await;
    }
    let kept = || names.iter().map(|name| Arc::strong_count(name) > 1).collect::<Vec<_>>();
    assert_eq!(kept(), [true, true, true, true]);
    attempts[1].take();
    assert_eq!(kept(), [true, true, true, true], "the oldest attempt still needs them all");
    attempts[0].take();
    assert_eq!(kept(), [false, false, true, true]);
    attempts[3].take();
    assert_eq!(kept(), [false, false, true, true]);
    attempts[2].take();
    assert_eq!(kept(), [false, false, false, false]);
}

#[tokio::test]
async fn every_end_of_an_attempt_forgets_it() {
    let caller = Caller::new(&Memory.open().await);
    drop(caller.begin().await);
    assert!(caller.begin().await.fail().await);
    let lost_on_read = caller.begin().await;
    caller.put("a", "new").await;
    assert!(is_lost(&lost_on_read.get("a").await));
    assert!(!lost_on_read.commit().await);
    let lost_on_commit = caller.begin().await;
    found(lost_on_commit.get("a").await);
    caller.put("a", "newer").await;
    assert!(!lost_on_commit.commit().await);
    assert_eq!(remembered(&caller), 0);

    let transaction = Transaction::new(caller.0.clone());
    now(transaction.begin(None)).unwrap();
    transaction.rollback();
    now(transaction.begin(None)).unwrap();
    now(transaction.begin(None)).unwrap();
    drop(transaction);
    assert_eq!(remembered(&caller), 0);
}

#[tokio::test]
async fn a_dropped_attempt_frees_its_turn() {
    let caller = Caller::new(&Memory.open().await);
    let transaction = Transaction::new(caller.0.clone());
    while !transaction.has_turn() {
        now(transaction.begin(None)).unwrap();
    }
    let mut write = later(caller.0.write(put(&["a"], "value"), None));
    drop(transaction);
    poll(&mut write).unwrap().unwrap();
    assert_eq!(remembered(&caller), 0);
}

#[tokio::test]
async fn a_dropped_wait_for_a_turn_takes_no_turn() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    drop(later(caller.0.begin(true, None)));
    assert!(holder.commit().await);
    now(caller.0.write(put(&["a"], "value"), None)).unwrap();
    assert_eq!(remembered(&caller), 0);
}

#[tokio::test]
async fn a_dropped_wait_for_an_attempt_starts_none() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    let mut write = later(caller.0.write(put(&["a"], "value"), None));
    drop(later(caller.0.begin(false, None)));
    assert!(holder.commit().await);
    poll(&mut write).unwrap().unwrap();
    assert_eq!(remembered(&caller), 0, "the log grows for an attempt that no caller has");
}

#[tokio::test]
async fn a_turn_that_was_given_but_never_picked_up_is_free_again() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    let given = later(caller.0.begin(true, None));
    let mut next = later(caller.0.write(put(&["a"], "value"), None));
    assert!(holder.commit().await);
    drop(given);
    poll(&mut next).expect("the turn is free").unwrap();
    assert_eq!(remembered(&caller), 0);
}

#[tokio::test]
async fn a_transaction_dropped_while_it_waits_for_its_turn_takes_none() {
    let caller = Caller::new(&Memory.open().await);
    let transaction = Transaction::new(caller.0.clone());
    for _ in 0..OPTIMISTIC_ATTEMPTS_MAX {
        now(transaction.begin(None)).unwrap();
        found(get(&transaction.attempt().unwrap(), "a").await.unwrap());
    }
    let holder = caller.begin_alone().await;
    let begin = later(transaction.begin(None));
    drop((begin, transaction));
    assert!(holder.commit().await);
    now(caller.0.write(put(&["a"], "value"), None)).unwrap();
    assert_eq!(remembered(&caller), 0);
}

#[tokio::test]
async fn a_dropped_answer_of_a_write_does_not_undo_it() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    drop(later(caller.0.write(put(&["a"], "value"), None)));
    let mut read =
        later(caller.0.read(vec![key("a")], ferroflare_core::backend::ReadView::Latest(None)));
    assert!(holder.commit().await);
    assert_eq!(poll(&mut read).unwrap().map(crate::support::fresh), Ok(vec![Some(key("value"))]));
}

#[tokio::test]
async fn a_dropped_answer_of_a_commit_does_not_undo_it() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    let attempt = caller.begin().await;
    attempt.put("a", "value");
    drop(later(attempt.0.commit(false)));
    assert!(holder.commit().await);
    assert_eq!(caller.get("a").await.as_deref(), Some("value"));
    assert_eq!(remembered(&caller), 0);
}
