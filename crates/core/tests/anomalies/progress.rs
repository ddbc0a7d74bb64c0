//! Bounded attempts: whatever the others do, a transaction commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferroflare_core::backend::ReadResult;
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::key::Key;

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, found, get, key, prefix, put};

on_every_place!(
    long_reader_against_a_stream_of_writers,
    long_lister_against_a_stream_of_writers,
    counters_on_64_threads_add_up,
    write_only_transactions_never_lose,
    disjoint_transactions_never_lose,
);

const ATTEMPTS_MAX: u32 = OPTIMISTIC_ATTEMPTS_MAX + 1;

async fn long_reader_against_a_stream_of_writers(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let names: Vec<String> = (0..50).map(|number| format!("key:{number:02}")).collect();
    let mut writes = Vec::new();
    let writes_made = std::cell::RefCell::new(&mut writes);
    let (sum, attempts) = caller
        .transact(async |attempt| {
            let mut sum = 0;
            for name in &names {
                let value = match get(attempt, name).await? {
                    ReadResult::Value(value) => value,
                    ReadResult::Conflict(conflict) => return Ok(ReadResult::Conflict(conflict)),
                };
                sum += value.map_or(0, |value| value.parse::<u32>().unwrap());
                // No caller awaits it: during the turn it is answered after the transaction.
                let write = caller.0.write(put(&["key:00", name], "1"), None);
                writes_made.borrow_mut().push(write);
            }
            Ok(ReadResult::Value(sum))
        })
        .await
        .unwrap();
    assert_eq!(attempts, ATTEMPTS_MAX);
    assert!(sum <= 50);
    for write in writes {
        write.wait().await.unwrap();
    }
    for name in names {
        assert_eq!(caller.get(&name).await.as_deref(), Some("1"), "the writers go on in the end");
    }
}

async fn long_lister_against_a_stream_of_writers(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (caller, done) = (caller.clone(), done.clone());
        move || {
            on_this_thread(async {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    caller.put(&format!("item:{}", number % 100), "value").await;
                    number += 1;
                }
            });
        }
    });
    for _ in 0..20 {
        let (same, attempts) = caller
            .transact(async |attempt| {
                let scan = ferroflare_core::range::Scan::new(&prefix("item:"));
                let first = match attempt.list(scan.clone()).wait().await? {
                    ReadResult::Value(first) => first,
                    ReadResult::Conflict(conflict) => return Ok(ReadResult::Conflict(conflict)),
                };
                std::thread::yield_now();
                Ok(attempt.list(scan).wait().await?.map(|second| first == second))
            })
            .await
            .unwrap();
        assert!(same, "two lists of one attempt differ");
        assert!(attempts <= ATTEMPTS_MAX, "{attempts} attempts");
    }
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

async fn counters_on_64_threads_add_up(place: &dyn TestPlace) {
    const THREADS: usize = 64;
    const ROUNDS: usize = 20;
    let place = place.open().await;
    let caller = Caller::new(&place);
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let caller = caller.clone();
            std::thread::spawn(move || {
                on_this_thread(async {
                    let mut most = 0;
                    for _ in 0..ROUNDS {
                        let ((), attempts) = increment(&caller).await;
                        most = most.max(attempts);
                    }
                    most
                })
            })
        })
        .collect();
    let most = threads.into_iter().map(|thread| thread.join().unwrap()).max();
    assert!(most <= Some(ATTEMPTS_MAX), "{most:?} attempts");
    assert_eq!(caller.get("counter").await, Some((THREADS * ROUNDS).to_string()));
}

async fn increment(caller: &Caller) -> ((), u32) {
    caller
        .transact(async |attempt| {
            let value = match get(attempt, "counter").await? {
                ReadResult::Value(value) => value,
                ReadResult::Conflict(conflict) => return Ok(ReadResult::Conflict(conflict)),
            };
            std::thread::yield_now();
            let count: usize = value.map_or(0, |value| value.parse().unwrap());
            attempt.put(vec![(key("counter"), key(&(count + 1).to_string()))])?;
            Ok(ReadResult::Value(()))
        })
        .await
        .unwrap()
}

async fn write_only_transactions_never_lose(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    for round in 0..50 {
        let ((), attempts) = caller
            .transact(async |attempt| {
                attempt.put(vec![(key("a"), key("mine"))])?;
                caller.put("a", &round.to_string()).await;
                Ok(ReadResult::Value(()))
            })
            .await
            .unwrap();
        assert_eq!(attempts, 1);
        assert_eq!(caller.get("a").await.as_deref(), Some("mine"));
    }
}

async fn disjoint_transactions_never_lose(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let attempts: Vec<_> = {
        let mut attempts = Vec::new();
        for _ in 0..20 {
            attempts.push(caller.begin().await);
        }
        attempts
    };
    for (number, attempt) in attempts.iter().enumerate() {
        let own: Key = key(&format!("key:{number}"));
        found(attempt.0.read(vec![own.clone()]).wait().await.unwrap());
        attempt.0.put(vec![(own, key("value"))]).unwrap();
    }
    for attempt in attempts.into_iter().rev() {
        assert!(attempt.commit().await);
    }
    assert_eq!(caller.keys(&prefix("key:")).await.len(), 20);
}

fn on_this_thread<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
