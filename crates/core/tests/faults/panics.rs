//! Panics of a table: the object's state is in doubt, so every operation fails from then on, and none
//! hangs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ferroflare_core::alarm_index::AlarmIndex;
use ferroflare_core::answer::Pending;
use ferroflare_core::backend::ReadView;
use ferroflare_core::backend::local::LocalObject;
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::{Answer, ErrorKind, Result};

use super::faulty_table::{Call, Fault, FaultyTable, faulty_object};
use crate::support::{Caller, alarm, key, later, now, object_key, put, remove};

const CALLS: [Call; 4] = [Call::Get, Call::Scan, Call::Alarm, Call::Apply];

/// Makes the object's table panic in `call`. The caller gets an error, or the panic itself.
fn panic_in(caller: &Caller, call: Call) {
    let latest = ReadView::Latest(None);
    let all = Scan::new(&ListOptions::default());
    let failed = match call {
        Call::Get => fails(|| caller.0.read(vec![key("a")], latest)),
        Call::Scan => fails(|| caller.0.list(all, latest)),
        Call::Alarm => fails(|| caller.0.alarm(latest)),
        Call::Apply => fails(|| caller.0.write(put(&["a", "b"], "half"), None)),
    };
    assert!(failed, "{call:?} has not panicked");
}

fn fails<T>(call: impl FnOnce() -> Answer<T>) -> bool {
    catch_unwind(AssertUnwindSafe(call)).map_or(true, |answer| is_internal(now(answer)))
}

fn is_internal<T>(result: Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::Internal)
}

/// The result of an answer that must come: in paused time an hour without it is over at once.
async fn comes<T>(pending: Pending<T>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(3600), pending).await.expect("the operation hangs")
}

#[tokio::test]
async fn every_later_operation_fails_at_once() {
    for call in CALLS {
        let (caller, _, faults) = faulty_object();
        caller.put("a", "value").await;
        let attempt = caller.begin().await;
        let start = caller.begin().await.0.start();
        faults.inject(call, Fault::Panic);
        panic_in(&caller, call);
        let object = &caller.0;
        for view in [ReadView::Latest(None), ReadView::Since(start)] {
            assert!(is_internal(now(object.read(vec![key("a")], view))), "{call:?}");
            let all = Scan::new(&ListOptions::default());
            assert!(is_internal(now(object.list(all, view))), "{call:?}");
            assert!(is_internal(now(object.alarm(view))), "{call:?}");
        }
        assert!(is_internal(now(object.write(put(&["a"], "new"), None))), "{call:?}");
        assert!(is_internal(now(object.take_alarm(1))), "{call:?}");
        for turn in [false, true] {
            assert!(is_internal(now(object.begin(turn, None))), "{call:?}");
        }
        assert!(is_internal(now(object.durable(1))), "{call:?}");
        assert!(is_internal(now(attempt.0.read(vec![key("a")]))), "{call:?}");
        assert!(is_internal(now(attempt.0.commit(false))), "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn operations_that_wait_fail_instead_of_hanging() {
    for call in CALLS {
        let (caller, _, faults) = faulty_object();
        let beside = caller.begin().await;
        let holder = caller.begin_alone().await;
        let write = later(caller.0.write(put(&["a"], "value"), None));
        let read = later(caller.0.read(vec![key("a")], ReadView::Latest(None)));
        let begin = later(caller.0.begin(true, None));
        let commit = later(beside.0.commit(false));
        faults.inject(call, Fault::Panic);
        let all = Scan::new(&ListOptions::default());
        let failed = match call {
            Call::Get => fails(|| holder.0.read(vec![key("a")])),
            Call::Scan => fails(|| holder.0.list(all)),
            Call::Alarm => fails(|| holder.0.alarm()),
            Call::Apply => fails(|| caller.0.write(put(&["b"], "own"), Some(holder.id()))),
        };
        assert!(failed, "{call:?} has not panicked");
        assert!(comes(write).await.is_err());
        assert!(comes(read).await.is_err());
        assert!(comes(begin).await.is_err());
        assert!(comes(commit).await.is_err());
        assert!(is_internal(now(holder.0.commit(false))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_job_that_panics_fails_itself_and_not_the_one_who_ran_it() {
    let (caller, _, faults) = faulty_object();
    let holder = caller.begin_alone().await;
    let panics = later(caller.0.write(remove(&["a"]), None));
    let after = later(caller.0.write(put(&["b"], "value"), None));
    faults.inject(Call::Get, Fault::Panic);
    let commit = catch_unwind(AssertUnwindSafe(|| holder.0.commit(false)));
    assert!(is_internal(comes(panics).await));
    assert!(is_internal(comes(after).await));
    let outcome = commit.map(now).expect("another's panic has reached the caller");
    assert!(outcome.is_ok(), "it was committed before the job ran: {outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn closing_after_a_panic_fails_what_waits() {
    let (alarms, faults) = (Arc::<AlarmIndex>::default(), Arc::default());
    let table = FaultyTable::new(Arc::clone(&faults));
    let object = LocalObject::new(table, object_key("one"), alarms);
    let caller = Caller::without_place(object.clone());
    let holder = caller.begin_alone().await;
    let write = later(caller.0.write(put(&["a"], "value"), None));
    faults.inject(Call::Get, Fault::Panic);
    assert!(fails(|| holder.0.read(vec![key("a")])));
    object.close();
    assert!(comes(write).await.is_err());
    assert!(now(caller.0.write(put(&["a"], "value"), None)).is_err());
}

#[tokio::test]
async fn attempts_of_a_broken_object_can_be_dropped() {
    let (caller, _, faults) = faulty_object();
    let (beside, alone) = (caller.begin().await, caller.begin_alone().await);
    faults.inject(Call::Get, Fault::Panic);
    panic_in(&caller, Call::Get);
    drop((beside, alone));
    assert!(is_internal(now(caller.0.begin(false, None))));
}

#[tokio::test]
async fn other_objects_and_their_alarms_go_on() {
    let (broken, alarms, faults) = faulty_object();
    let table = FaultyTable::new(Arc::default());
    let other = Caller::without_place(LocalObject::new(table, object_key("other"), alarms.clone()));
    broken.write(alarm(Some(1))).await;
    faults.inject(Call::Apply, Fault::Panic);
    panic_in(&broken, Call::Apply);
    other.put("a", "value").await;
    other.write(alarm(Some(2))).await;
    assert_eq!(other.get("a").await.as_deref(), Some("value"));
    let pending = alarms.pending(&["OBJECT".into()]).unwrap();
    assert_eq!(pending, [(1, object_key("one")), (2, object_key("other"))]);
}
