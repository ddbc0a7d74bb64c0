//! Alarms: the index of a place is true after every kind of commit, and an alarm is claimed once.

use std::sync::Arc;

use ferroflare_core::backend::{ObjectKey, Store};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, alarm, clear, found, object_key, put};

on_every_place!(
    the_index_follows_plain_writes,
    the_index_follows_commits_and_nothing_else,
    the_index_is_ordered_by_time_and_filtered_by_name,
    an_alarm_is_taken_only_when_it_is_due,
    one_of_many_takers_gets_the_alarm,
);

fn pending(place: &Arc<dyn Store>) -> Vec<(i64, ObjectKey)> {
    place.alarms(&["OBJECT".into()]).unwrap()
}

fn only(at: i64) -> Vec<(i64, ObjectKey)> {
    vec![(at, object_key("one"))]
}

async fn the_index_follows_plain_writes(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    assert!(pending(&place).is_empty());
    caller.write(alarm(Some(20))).await;
    assert_eq!((caller.alarm().await, pending(&place)), (Some(20), only(20)));
    let mut earlier = put(&["a"], "value");
    earlier.set_alarm(Some(10));
    caller.write(earlier).await;
    assert_eq!((caller.alarm().await, pending(&place)), (Some(10), only(10)));
    caller.put("a", "other").await;
    assert_eq!(pending(&place), only(10), "a write of a key leaves the alarm alone");
    let mut everything = clear();
    everything.set_alarm(None);
    caller.write(everything).await;
    assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));
}

async fn the_index_follows_commits_and_nothing_else(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    let attempt = caller.begin().await;
    attempt.0.set_alarm(Some(5)).unwrap();
    assert_eq!(found(attempt.alarm().await), Some(5));
    assert!(pending(&place).is_empty(), "an attempt that runs has written nothing");
    assert!(attempt.commit().await);
    assert_eq!(pending(&place), only(5));

    let dropped = caller.begin().await;
    dropped.0.set_alarm(Some(6)).unwrap();
    drop(dropped);
    let failed = caller.begin().await;
    failed.0.set_alarm(Some(7)).unwrap();
    assert!(failed.fail().await);
    let lost = caller.begin().await;
    found(lost.get("a").await);
    lost.0.set_alarm(None).unwrap();
    caller.put("a", "value").await;
    assert!(!lost.commit().await);
    assert_eq!((caller.alarm().await, pending(&place)), (Some(5), only(5)));

    let clearing = caller.begin().await;
    clearing.0.set_alarm(None).unwrap();
    assert!(clearing.commit().await);
    assert!(pending(&place).is_empty());
}

async fn the_index_is_ordered_by_time_and_filtered_by_name(place: &dyn TestPlace) {
    let place = place.open().await;
    let keys = [("A", "2"), ("B", "1"), ("A", "1"), ("C", "1")]
        .map(|(name, id)| ObjectKey { name: name.into(), id: id.into() });
    for (key, at) in keys.iter().zip([30, 20, 10, 5]) {
        Caller::of(&place, key).write(alarm(Some(at))).await;
    }
    let [a2, b1, a1, _] = keys;
    let of = |names: &[&str]| {
        place.alarms(&names.iter().map(|name| Arc::from(*name)).collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(of(&["B", "A"]), [(10, a1), (20, b1.clone()), (30, a2)]);
    assert_eq!(of(&["B"]), [(20, b1)]);
    assert!(of(&[]).is_empty());
}

async fn an_alarm_is_taken_only_when_it_is_due(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    assert!(!caller.take_alarm(i64::MAX).await, "there is none");
    caller.write(alarm(Some(10))).await;
    assert!(!caller.take_alarm(9).await);
    assert_eq!((caller.alarm().await, pending(&place)), (Some(10), only(10)));
    assert!(caller.take_alarm(10).await);
    assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));
    assert!(!caller.take_alarm(10).await);
    caller.write(alarm(Some(10))).await;
    assert!(caller.take_alarm(11).await, "an alarm that is overdue is due");
}

async fn one_of_many_takers_gets_the_alarm(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let caller = caller.clone();
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(caller.take_alarm(10))
            })
        })
        .collect();
    let taken = takers.into_iter().map(|taker| taker.join().unwrap()).filter(|taken| *taken);
    assert_eq!(taken.count(), 1);
}
