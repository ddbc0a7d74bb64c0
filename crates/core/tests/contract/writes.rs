//! `ObjectStorage::write`: atomic batches, and what they report.

use ferroflare_core::backend::{CommitOutcome, Committed, ReadView};
use ferroflare_core::range::{ListOptions, Scan};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, alarm, clear, found, fresh, key, names, put, remove};

on_every_place!(
    a_batch_is_seen_as_a_whole_or_not_at_all,
    removed_counts_the_keys_that_existed,
    a_batch_clears_before_it_stores,
    clearing_a_batch_drops_what_it_had_so_far,
    clearing_the_keys_leaves_the_alarm,
    an_empty_batch_changes_nothing,
    a_committed_attempt_counts_the_keys_that_it_removed,
    a_ticket_of_a_write_becomes_durable,
);

async fn a_batch_is_seen_as_a_whole_or_not_at_all(place: &dyn TestPlace) {
    const ROUNDS: u32 = 300;
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(put(&["a", "b", "c"], "0")).await;
    let writer = std::thread::spawn({
        let caller = caller.clone();
        move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for round in 1..=ROUNDS {
                    caller.write(put(&["a", "b", "c"], &round.to_string())).await;
                }
            });
        }
    });
    loop {
        let asked = ["a", "b", "c"].map(key).to_vec();
        let values = fresh(caller.0.read(asked, ReadView::Latest(None)).wait().await.unwrap());
        assert!(values.iter().all(|value| *value == values[0]), "a mixture: {values:?}");
        let scan = Scan::new(&ListOptions::default());
        let entries = fresh(caller.0.list(scan, ReadView::Latest(None)).wait().await.unwrap());
        assert!(entries.iter().all(|(_, value)| *value == entries[0].1), "a mixture: {entries:?}");
        assert_eq!(names(entries), ["a", "b", "c"]);
        if values[0] == Some(key(&ROUNDS.to_string())) {
            break;
        }
        tokio::task::yield_now().await;
    }
    writer.join().unwrap();
}

async fn removed_counts_the_keys_that_existed(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b", "c"], "value")).await;
    assert_eq!(caller.write(remove(&["a", "b", "missing", "a"])).await.removed, 2);
    assert_eq!(caller.write(remove(&["a", "b"])).await.removed, 0);
    let mut batch = remove(&["c"]);
    batch.put(key("c"), key("again"));
    assert_eq!(caller.write(batch).await.removed, 0, "the batch does not remove `c` in the end");
    assert_eq!(caller.get("c").await.as_deref(), Some("again"));
}

async fn a_batch_clears_before_it_stores(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "old")).await;
    let mut batch = clear();
    batch.put(key("b"), key("new"));
    batch.put(key("c"), key("new"));
    caller.write(batch).await;
    assert_eq!(caller.keys(&ListOptions::default()).await, ["b", "c"]);
    assert_eq!(caller.get("b").await.as_deref(), Some("new"));
}

async fn clearing_a_batch_drops_what_it_had_so_far(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "old").await;
    let mut batch = put(&["a", "b"], "dropped");
    batch.clear();
    batch.put(key("c"), key("kept"));
    caller.write(batch).await;
    assert_eq!(caller.keys(&ListOptions::default()).await, ["c"]);
}

async fn clearing_the_keys_leaves_the_alarm(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(alarm(Some(5))).await;
    caller.put("a", "value").await;
    caller.write(clear()).await;
    assert_eq!(caller.alarm().await, Some(5));
    assert!(caller.keys(&ListOptions::default()).await.is_empty());
}

async fn an_empty_batch_changes_nothing(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "value").await;
    let attempt = caller.begin().await;
    found(attempt.get("a").await);
    assert_eq!(caller.write(put(&[], "")).await, Committed::default());
    assert!(attempt.commit().await);
    assert_eq!(caller.get("a").await.as_deref(), Some("value"));
}

async fn a_committed_attempt_counts_the_keys_that_it_removed(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&["a", "b"], "value")).await;
    let attempt = caller.begin().await;
    let outcome = caller
        .0
        .commit(attempt.0.start(), <_>::default(), remove(&["a", "missing", "b"]))
        .wait()
        .await
        .unwrap();
    std::mem::forget(attempt);
    let CommitOutcome::Committed(committed) = outcome else {
        panic!("an attempt without reads has lost: {outcome:?}");
    };
    assert_eq!(committed.removed, 2);
}

async fn a_ticket_of_a_write_becomes_durable(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let committed = caller.0.write(put(&["a"], "value"), None).wait().await.unwrap();
    assert_eq!(caller.get("a").await.as_deref(), Some("value"), "visible before it is durable");
    caller.0.seal();
    caller.0.durable(committed.ticket).wait().await.unwrap();
    caller.0.durable(0).wait().await.unwrap();
}
