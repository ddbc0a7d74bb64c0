//! The lease of a turn, in paused time: a holder that never finishes stops no other caller for ever.

use std::time::Duration;

use ferroflare_core::Error;
use ferroflare_core::backend::ReadView;
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::concurrency::turn::TURN_LEASE;
use ferroflare_core::transaction::TURNS_MAX;
use ferroflare_core::transaction::Transaction;
use tokio::time::{Instant, advance, sleep};

use crate::places::{Memory, TestPlace};
use crate::support::{Caller, Txn, found, fresh, get, is_lost, key, later, now, poll, put, won};

/// Runs each test in paused time, where an hour is over at once: a test that takes longer hangs.
macro_rules! in_paused_time {
    ($($test:ident),+ $(,)?) => {
        mod paused {
            $(
                #[tokio::test(start_paused = true)]
                async fn $test() {
                    let hour = std::time::Duration::from_secs(3600);
                    tokio::time::timeout(hour, super::$test()).await.expect("the test hangs");
                }
            )+
        }
    };
}

in_paused_time!(
    a_turn_whose_holder_never_finishes_expires,
    a_turn_lasts_its_lease_whoever_has_waited_longer,
    a_queue_of_holders_that_never_finish_moves_on,
    the_holder_of_an_expired_turn_commits_if_nothing_conflicts,
    the_holder_of_an_expired_turn_is_retried_if_something_conflicts,
    the_end_of_an_expired_holder_leaves_the_next_turn_alone,
    what_comes_out_of_an_expired_turn_waits_like_the_others,
    a_deadlock_between_a_turn_and_what_it_awaits_ends_with_the_lease,
    reads_need_no_lease_to_run_out,
    attempts_are_bounded,
);

async fn a_turn_whose_holder_never_finishes_expires() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    #[expect(clippy::disallowed_methods, reason = "the time is that of the paused runtime")]
    let began = Instant::now();
    caller.put("a", "value").await;
    assert!(began.elapsed() >= TURN_LEASE, "after {:?}", began.elapsed());
    assert!(began.elapsed() < TURN_LEASE + Duration::from_secs(1), "after {:?}", began.elapsed());
    drop(holder);
}

async fn a_turn_lasts_its_lease_whoever_has_waited_longer() {
    let caller = Caller::new(&Memory.open().await);
    let first = caller.begin_alone().await;
    let mut second = later(caller.0.begin(true, None));
    let mut write = later(caller.0.write(put(&["a"], "value"), None));
    let almost = TURN_LEASE.checked_sub(Duration::from_secs(1)).unwrap();
    advance(almost).await;
    assert!(poll(&mut write).is_none());
    drop(first);
    let second = Txn::new(&caller, poll(&mut second).unwrap().unwrap());
    advance(Duration::from_secs(5)).await;
    assert!(poll(&mut write).is_none(), "the lease of the first turn has ended the second");
    assert_eq!(found(second.get("a").await), None);
    assert!(second.commit().await);
    poll(&mut write).unwrap().unwrap();
}

async fn a_queue_of_holders_that_never_finish_moves_on() {
    let caller = Caller::new(&Memory.open().await);
    let mut holders = vec![caller.begin_alone().await];
    let begins: Vec<_> = (0..3).map(|_| later(caller.0.begin(true, None))).collect();
    let mut write = later(caller.0.write(put(&["a"], "value"), None));
    for begin in begins {
        holders.push(Txn::new(&caller, begin.await.unwrap()));
        assert!(poll(&mut write).is_none());
    }
    write.await.unwrap();
    for holder in holders {
        assert!(is_lost(&holder.get("a").await));
    }
}

async fn the_holder_of_an_expired_turn_commits_if_nothing_conflicts() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    assert_eq!(found(holder.get("mine").await), None);
    caller.put("other", "value").await;
    holder.put("mine", "value");
    assert!(holder.commit().await);
    assert_eq!(caller.get("mine").await.as_deref(), Some("value"));
}

async fn the_holder_of_an_expired_turn_is_retried_if_something_conflicts() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    assert_eq!(found(holder.get("mine").await), None);
    caller.put("mine", "others").await;
    holder.put("mine", "value");
    assert!(!holder.commit().await, "a conflict with others is no self-conflict");
    assert_eq!(caller.get("mine").await.as_deref(), Some("others"));
}

async fn the_end_of_an_expired_holder_leaves_the_next_turn_alone() {
    let caller = Caller::new(&Memory.open().await);
    let expired = caller.begin_alone().await;
    let next = caller.begin_alone().await;
    let mut write = later(caller.0.write(put(&["a"], "value"), None));
    drop(expired);
    assert!(poll(&mut write).is_none(), "the end of an expired holder has ended another's turn");
    assert_eq!(found(next.get("a").await), None);
    assert!(next.commit().await);
    poll(&mut write).unwrap().unwrap();
}

async fn what_comes_out_of_an_expired_turn_waits_like_the_others() {
    let caller = Caller::new(&Memory.open().await);
    let expired = caller.begin_alone().await;
    let guest = caller.begin_inside(&expired).await;
    let next = caller.begin_alone().await;
    let mut plain = later(caller.0.write(put(&["a"], "plain"), Some(expired.id())));
    guest.put("b", "guest");
    let mut commit = later(guest.0.commit(false));
    assert!(next.commit().await);
    poll(&mut plain).unwrap().unwrap();
    assert!(poll(&mut commit).unwrap().is_ok());
}

async fn a_deadlock_between_a_turn_and_what_it_awaits_ends_with_the_lease() {
    let caller = Caller::new(&Memory.open().await);
    let holder = caller.begin_alone().await;
    // Not out of its closure, as far as the object can tell: it waits for the turn that waits for it.
    caller.put("a", "value").await;
    holder.put("b", "value");
    assert!(holder.commit().await);
}

async fn reads_need_no_lease_to_run_out() {
    let caller = Caller::new(&Memory.open().await);
    let _holder = caller.begin_alone().await;
    assert_eq!(fresh(now(caller.0.read(vec![key("a")], ReadView::Latest(None))).unwrap()), [None]);
    let attempt = Txn::new(&caller, now(caller.0.begin(false, None)).unwrap());
    assert_eq!(found(attempt.get("a").await), None);
}

async fn attempts_are_bounded() {
    let caller = Caller::new(&Memory.open().await);
    let transaction = Transaction::new(caller.0.clone());
    let mut attempts = 0;
    let error = loop {
        if let Err(error) = transaction.begin(None).wait().await {
            break error;
        }
        attempts += 1;
        let attempt = transaction.attempt().unwrap();
        found(get(&attempt, "a").await.unwrap());
        drop(attempt);
        // During a turn this takes as long as the lease.
        caller.put("a", "others").await;
        let outcome = transaction.commit(false).wait().await.unwrap();
        assert!(!won(&outcome), "{outcome:?}");
    };
    assert_eq!(attempts, OPTIMISTIC_ATTEMPTS_MAX + TURNS_MAX);
    assert_eq!(error, Error::AttemptsExhausted { attempts, seconds: TURN_LEASE.as_secs() });
    sleep(TURN_LEASE).await;
    now(caller.0.write(put(&["a"], "value"), None)).unwrap();
}
