//! Claims: an alarm that is handled stays stored, no other caller handles it, and what is set meanwhile is kept.

use std::sync::Arc;

use ferroflare_core::backend::{AlarmEnd, ObjectKey, Store};

use crate::places::{Files, TestPlace, on_every_place};
use crate::support::{Caller, alarm, clear, found, object_key, put};

on_every_place!(
    a_claimed_alarm_is_out_of_sight_until_it_is_handled,
    an_alarm_is_claimed_only_when_it_is_due,
    what_is_set_or_removed_while_an_alarm_is_handled_stays,
    a_postponed_alarm_is_in_sight_and_goes_on_with_its_claim,
    setting_or_removing_a_postponed_alarm_ends_its_claim,
    a_released_alarm_is_due_as_before,
    attempts_see_a_claim_as_a_write_of_the_alarm,
    one_of_many_claimers_gets_the_alarm,
    another_user_of_the_place_does_not_handle_it_meanwhile,
);

fn pending(place: &Arc<dyn Store>) -> Vec<(i64, ObjectKey)> {
    place.alarms(&["OBJECT".into()]).unwrap()
}

fn only(at: i64) -> Vec<(i64, ObjectKey)> {
    vec![(at, object_key("one"))]
}

async fn a_claimed_alarm_is_out_of_sight_until_it_is_handled(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    assert_eq!(caller.claim(i64::MAX).await, None, "there is none");
    caller.write(alarm(Some(10))).await;
    let claim = caller.claim(10).await.unwrap();
    assert_eq!(claim.at, 10);
    assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));
    assert_eq!(caller.claim(i64::MAX).await, None);
    assert!(!caller.take_alarm(i64::MAX).await);
    assert!(caller.finish(claim.id, AlarmEnd::Handled).await);
    assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));
    assert!(!caller.finish(claim.id, AlarmEnd::Handled).await, "it has ended");
    assert_eq!(caller.claim(i64::MAX).await, None);
    caller.write(alarm(Some(11))).await;
    assert_eq!(pending(&place), only(11));
}

async fn an_alarm_is_claimed_only_when_it_is_due(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    assert_eq!(caller.claim(9).await, None);
    assert_eq!((caller.alarm().await, pending(&place)), (Some(10), only(10)));
    assert_eq!(caller.claim(11).await.map(|claim| claim.at), Some(10));
}

async fn what_is_set_or_removed_while_an_alarm_is_handled_stays(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    for (end, at) in [(AlarmEnd::Handled, 20), (AlarmEnd::Postponed, 30), (AlarmEnd::Released, 40)]
    {
        caller.write(alarm(Some(10))).await;
        let claim = caller.claim(10).await.unwrap();
        caller.write(alarm(Some(at))).await;
        assert_eq!((caller.alarm().await, pending(&place)), (Some(at), vec![]), "{end:?}");
        assert_eq!(caller.claim(i64::MAX).await, None, "one handler at a time");
        assert!(!caller.finish(claim.id, end).await, "{end:?}");
        assert_eq!((caller.alarm().await, pending(&place)), (Some(at), only(at)), "{end:?}");

        let claim = caller.claim(i64::MAX).await.unwrap();
        caller.write(clear_all()).await;
        assert!(!caller.finish(claim.id, end).await, "{end:?}");
        assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]), "{end:?}");
    }
    // The very time that is handled, set again.
    caller.write(alarm(Some(10))).await;
    let claim = caller.claim(10).await.unwrap();
    let attempt = caller.begin().await;
    attempt.0.set_alarm(Some(10)).unwrap();
    assert!(attempt.commit().await);
    assert!(!caller.finish(claim.id, AlarmEnd::Handled).await);
    assert_eq!((caller.alarm().await, pending(&place)), (Some(10), only(10)));
}

async fn a_postponed_alarm_is_in_sight_and_goes_on_with_its_claim(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    let claim = caller.claim(10).await.unwrap();
    for _ in 0..2 {
        assert!(caller.finish(claim.id, AlarmEnd::Postponed).await);
        assert_eq!((caller.alarm().await, pending(&place)), (Some(10), vec![]));
        caller.put("a", "a write of a key leaves the claim alone").await;
        assert_eq!(caller.claim(i64::MAX).await, None, "it waits for its own claim");
        assert_eq!(caller.go_on(claim.id).await, Some(claim));
        assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));
        assert_eq!(caller.go_on(claim.id).await, None, "it does not wait any more");
    }
    assert!(caller.finish(claim.id, AlarmEnd::Handled).await);
    assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));

    caller.write(alarm(Some(10))).await;
    let claim = caller.claim(10).await.unwrap();
    caller.finish(claim.id, AlarmEnd::Postponed).await;
    assert!(caller.finish(claim.id, AlarmEnd::Handled).await, "it is given up");
    assert_eq!((caller.alarm().await, pending(&place)), (None, vec![]));
}

async fn setting_or_removing_a_postponed_alarm_ends_its_claim(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    for again in [Some(20), None] {
        caller.write(alarm(Some(10))).await;
        let claim = caller.claim(10).await.unwrap();
        caller.finish(claim.id, AlarmEnd::Postponed).await;
        caller.write(alarm(again)).await;
        assert_eq!(caller.alarm().await, again);
        assert_eq!(caller.go_on(claim.id).await, None);
        assert!(!caller.finish(claim.id, AlarmEnd::Handled).await);
        assert_eq!(pending(&place), again.map_or(vec![], only));
        let next = caller.claim(20).await;
        assert_eq!(next.map(|claim| claim.at), again);
        if let Some(next) = next {
            assert!(caller.finish(next.id, AlarmEnd::Handled).await);
        }
    }
}

async fn a_released_alarm_is_due_as_before(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    for postponed in [false, true] {
        let claim = caller.claim(10).await.unwrap();
        if postponed {
            caller.finish(claim.id, AlarmEnd::Postponed).await;
        }
        assert!(caller.finish(claim.id, AlarmEnd::Released).await);
        assert_eq!((caller.alarm().await, pending(&place)), (Some(10), only(10)));
        assert_eq!(caller.go_on(claim.id).await, None);
    }
    assert!(caller.take_alarm(10).await);
}

async fn attempts_see_a_claim_as_a_write_of_the_alarm(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    let attempt = caller.begin().await;
    assert_eq!(found(attempt.alarm().await), Some(10));
    let claim = caller.claim(10).await.unwrap();
    attempt.0.put(vec![(crate::support::key("a"), Arc::from(*b"b"))]).unwrap();
    assert!(!attempt.commit().await, "the alarm was claimed since");

    let attempt = caller.begin().await;
    assert_eq!(found(attempt.alarm().await), None);
    caller.finish(claim.id, AlarmEnd::Postponed).await;
    attempt.0.put(vec![(crate::support::key("a"), Arc::from(*b"b"))]).unwrap();
    assert!(!attempt.commit().await, "the alarm is in sight again");

    let attempt = caller.begin().await;
    found(attempt.get("a").await);
    caller.go_on(claim.id).await.unwrap();
    attempt.0.put(vec![(crate::support::key("a"), Arc::from(*b"b"))]).unwrap();
    assert!(attempt.commit().await, "it has not read the alarm");
    assert!(caller.finish(claim.id, AlarmEnd::Handled).await);
}

async fn one_of_many_claimers_gets_the_alarm(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    let claimers: Vec<_> = (0..4)
        .map(|_| {
            let caller = caller.clone();
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(caller.claim(10))
            })
        })
        .collect();
    let claims = claimers.into_iter().filter_map(|claimer| claimer.join().unwrap());
    assert_eq!(claims.count(), 1);
}

async fn another_user_of_the_place_does_not_handle_it_meanwhile(place: &dyn TestPlace) {
    let [one, two] = place.open_twice().await;
    let (here, there) = (Caller::new(&one), Caller::new(&two));
    here.write(alarm(Some(10))).await;
    let claim = here.claim(10).await.unwrap();
    there.put("a", "the object is used there").await;
    assert_eq!((there.alarm().await, there.claim(10).await), (None, None));
    assert!(here.finish(claim.id, AlarmEnd::Postponed).await);
    assert_eq!((there.alarm().await, there.claim(10).await), (Some(10), None));
    there.write(alarm(Some(20))).await;
    assert_eq!(there.claim(20).await.map(|claim| claim.at), Some(20), "the claim here has ended");
    assert_eq!((here.go_on(claim.id).await, here.claim(20).await), (None, None));
}

#[tokio::test]
async fn files_a_claim_ends_with_its_user_as_when_its_process_is_killed() {
    let [one, two] = Files.open_twice().await;
    let (here, there) = (Caller::new(&one), Caller::new(&two));
    here.write(alarm(Some(10))).await;
    for postponed in [false, true] {
        let claim = here.claim(10).await.unwrap();
        if postponed {
            here.finish(claim.id, AlarmEnd::Postponed).await;
        }
        assert_eq!(there.claim(10).await, None);
        if !postponed {
            here.finish(claim.id, AlarmEnd::Released).await;
        }
    }
    one.close().wait().await.unwrap();
    assert_eq!(there.claim(10).await.map(|claim| claim.at), Some(10));
}

fn clear_all() -> ferroflare_core::write_batch::WriteBatch {
    let mut everything = clear();
    everything.set_alarm(None);
    everything.append(put(&["b"], "value"));
    everything
}
