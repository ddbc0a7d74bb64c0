//! Errors of a table: reported to the one whose call it was, and to no other process.

use std::collections::BTreeMap;

use ferroflare_core::backend::{ObjectKey, ReadView};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::Attempt;
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Answer, Result};

use super::faulty_table::{Call, Fault, faulty_object, injected};
use crate::support::{
    Caller, Txn, alarm, clear, found, fresh, key, later, object_key, poll, put, remove, text,
};

const ERRORS: [Fault; 2] = [Fault::Early, Fault::Midway];

#[tokio::test]
async fn a_failed_read_is_reported_and_the_next_one_works() {
    let (caller, _, faults) = faulty_object();
    caller.write(put(&["a"], "value")).await;
    let latest = ReadView::Latest(None);
    faults.inject(Call::Get, Fault::Early);
    assert_eq!(caller.0.read(vec![key("a")], latest).wait().await, Err(injected()));
    faults.inject(Call::Scan, Fault::Early);
    let all = Scan::new(&ListOptions::default());
    assert_eq!(caller.0.list(all, latest).wait().await, Err(injected()));
    faults.inject(Call::Alarm, Fault::Early);
    assert_eq!(caller.0.alarm(latest).wait().await, Err(injected()));
    assert_eq!(caller.get("a").await.as_deref(), Some("value"));
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a"]);
    assert_eq!(caller.alarm().await, None);
}

#[tokio::test]
async fn a_failed_write_changes_neither_data_nor_alarms() {
    for fault in ERRORS {
        let (caller, alarms, faults) = faulty_object();
        caller.write(put(&["a", "b"], "old")).await;
        caller.write(alarm(Some(5))).await;
        let mut batch = clear();
        for name in ["a", "c", "d"] {
            batch.put(key(name), key("new"));
        }
        batch.set_alarm(Some(9));
        faults.inject(Call::Apply, fault);
        assert_eq!(caller.0.write(batch, None).wait().await, Err(injected()));
        assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "b"]);
        assert_eq!(caller.get("a").await.as_deref(), Some("old"));
        assert_eq!(caller.alarm().await, Some(5));
        assert_eq!(alarms.pending(&["OBJECT".into()]), Ok(vec![(5, object_key("one"))]));
        faults.inject(Call::Apply, fault);
        assert_eq!(caller.0.take_alarm(5).wait().await, Err(injected()));
        assert_eq!(alarms.pending(&["OBJECT".into()]), Ok(vec![(5, object_key("one"))]));
        assert!(caller.take_alarm(5).await);
    }
}

#[tokio::test]
async fn a_failed_write_makes_nobody_lose() {
    for fault in ERRORS {
        let (caller, _, faults) = faulty_object();
        let attempt = caller.begin().await;
        assert_eq!(found(attempt.get("a").await), None);
        faults.inject(Call::Apply, fault);
        assert_eq!(caller.0.write(put(&["a"], "new"), None).wait().await, Err(injected()));
        assert_eq!(found(attempt.get("a").await), None);
        assert!(found(attempt.keys(&ListOptions::default()).await).is_empty());
        assert!(attempt.commit().await, "nothing that it read was written");
    }
}

#[tokio::test]
async fn a_failed_commit_is_reported_and_writes_nothing() {
    for fault in ERRORS {
        let (caller, alarms, faults) = faulty_object();
        let other = caller.begin().await;
        assert_eq!(found(other.get("a").await), None);
        let attempt = caller.begin().await;
        attempt.put("a", "value");
        attempt.put("b", "value");
        attempt.0.set_alarm(Some(1)).unwrap();
        faults.inject(Call::Apply, fault);
        assert_eq!(attempt.0.commit(false).wait().await, Err(injected()));
        assert!(caller.keys(&ListOptions::default()).await.is_empty());
        assert_eq!(alarms.pending(&["OBJECT".into()]), Ok(vec![]));
        assert!(other.commit().await);
    }
}

#[tokio::test]
async fn a_failed_commit_releases_its_turn() {
    for fault in ERRORS {
        let (caller, _, faults) = faulty_object();
        let holder = caller.begin_alone().await;
        holder.put("a", "holder");
        let mut write = later(caller.0.write(put(&["a"], "plain"), None));
        let mut begin = later(caller.0.begin(true, None));
        faults.inject(Call::Apply, fault);
        assert_eq!(holder.0.commit(false).wait().await, Err(injected()));
        poll(&mut write).expect("the turn is over").unwrap();
        let next = Txn::new(&caller, poll(&mut begin).expect("its turn has come").unwrap());
        assert_eq!(found(next.get("a").await).as_deref(), Some("plain"));
        assert!(next.commit().await);
    }
}

#[tokio::test]
async fn a_waiting_job_that_fails_stops_no_other() {
    for fault in ERRORS {
        let (caller, _, faults) = faulty_object();
        let holder = caller.begin_alone().await;
        let mut first = later(caller.0.write(put(&["a"], "first"), None));
        let mut read = later(caller.0.read(vec![key("a")], ReadView::Latest(None)));
        let mut second = later(caller.0.write(put(&["b"], "second"), None));
        faults.inject(Call::Apply, fault);
        assert!(holder.commit().await, "a read-only attempt applies nothing");
        assert_eq!(poll(&mut first), Some(Err(injected())));
        assert_eq!(poll(&mut read).unwrap().map(fresh), Ok(vec![None]));
        poll(&mut second).unwrap().unwrap();
        assert_eq!(caller.keys(&ListOptions::default()).await, ["b"]);
    }
}

#[tokio::test]
async fn an_attempt_goes_on_after_a_failed_read() {
    let (caller, _, faults) = faulty_object();
    caller.write(put(&["a"], "value")).await;
    let attempt = caller.begin().await;
    faults.inject(Call::Get, Fault::Early);
    assert_eq!(attempt.0.read(vec![key("a")]).wait().await, Err(injected()));
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("value"));
    attempt.put("b", "value");
    assert!(attempt.commit().await);
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "b"]);
}

/// Fails every call of a long script once, and compares with what was acknowledged.
#[tokio::test]
async fn whichever_call_fails_what_was_acknowledged_is_there_and_nothing_else() {
    for fault in ERRORS {
        for good in 0.. {
            let (caller, alarms, faults) = faulty_object();
            faults.inject_after(good, fault);
            let mut expected = Acknowledged::default();
            script(&caller, &mut expected).await;
            if faults.is_armed() {
                assert!(good > 20, "the script makes too few calls: {good}");
                assert_eq!(expected.errors, 0);
                break;
            }
            assert_eq!(expected.errors, 1, "call {good} {fault:?}: each error has one addressee");
            let entries = caller
                .0
                .list(Scan::new(&ListOptions::default()), ReadView::Latest(None))
                .wait()
                .await
                .map(fresh)
                .unwrap();
            let entries: BTreeMap<_, _> =
                entries.iter().map(|(key, value)| (text(key), text(value))).collect();
            assert_eq!(entries, expected.entries, "call {good} {fault:?}");
            assert_eq!(caller.alarm().await, expected.alarm, "call {good} {fault:?}");
            let pending: Vec<(i64, ObjectKey)> =
                expected.alarm.map(|at| (at, object_key("one"))).into_iter().collect();
            assert_eq!(alarms.pending(&["OBJECT".into()]), Ok(pending), "call {good} {fault:?}");
            assert!(caller.begin_alone().await.commit().await, "a turn is left over");
        }
    }
}

/// What the object has said that it did.
#[derive(Default)]
struct Acknowledged {
    entries: BTreeMap<String, String>,
    alarm: Option<i64>,
    errors: u32,
}

impl Acknowledged {
    /// Takes an answer; a good one has done `writes`.
    fn take<T>(&mut self, result: Result<T>, writes: &WriteBatch) -> Option<T> {
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                assert_eq!(error, injected());
                self.errors += 1;
                return None;
            }
        };
        if writes.clears() {
            self.entries.clear();
        }
        for (key, value) in writes.entries() {
            match value {
                Some(value) => self.entries.insert(text(key), text(value)),
                None => self.entries.remove(&text(key)),
            };
        }
        self.alarm = writes.alarm().unwrap_or(self.alarm);
        Some(answer)
    }

    async fn wait_for<T: Send + 'static>(&mut self, answer: Answer<T>, writes: &WriteBatch) {
        self.take(answer.wait().await, writes);
    }
}

/// Plain operations, an attempt beside others, and a turn with a queue behind it.
async fn script(caller: &Caller, expected: &mut Acknowledged) {
    let object = &caller.0;
    let nothing = WriteBatch::default();
    let mut first = put(&["a", "b", "c", "d"], "1");
    first.set_alarm(Some(10));
    for batch in [first, remove(&["b", "missing", "d"]), put(&["e"], "2")] {
        expected.wait_for(object.write(batch.clone(), None), &batch).await;
    }
    expected
        .wait_for(object.read(vec![key("a"), key("b")], ReadView::Latest(None)), &nothing)
        .await;

    let beside = caller.begin().await;
    let holder = caller.begin_alone().await;
    let mut of_holder = put(&["a", "f"], "holder");
    of_holder.set_alarm(Some(20));
    let can_commit = use_attempt(&holder.0, expected, &of_holder).await;
    let queued = [put(&["g"], "queued"), remove(&["a", "c"]), put(&["h", "i"], "queued")];
    let answers: Vec<_> = queued.iter().map(|batch| object.write(batch.clone(), None)).collect();
    let read = object.read(vec![key("g")], ReadView::Latest(None));
    let take = object.take_alarm(20);
    beside.put("beside", "value");
    let of_beside = put(&["beside"], "value");
    let beside = beside.0.commit(false);
    if can_commit {
        expected.wait_for(holder.0.commit(false), &of_holder).await;
    } else {
        drop(holder);
    }
    for (answer, batch) in answers.into_iter().zip(&queued) {
        expected.wait_for(answer, batch).await;
    }
    expected.wait_for(read, &nothing).await;
    if expected.take(take.wait().await, &nothing) == Some(true) {
        expected.alarm = None;
    }
    expected.wait_for(beside, &of_beside).await;

    let mut last = clear();
    last.put(key("z"), key("last"));
    expected.wait_for(object.write(last.clone(), None), &last).await;
    let attempt = caller.begin().await;
    let of_attempt = put(&["y"], "attempt");
    if use_attempt(&attempt.0, expected, &of_attempt).await {
        expected.wait_for(attempt.0.commit(false), &of_attempt).await;
    }
}

/// Reads through an attempt, writes `writes` through it, and says whether no read has failed.
async fn use_attempt(attempt: &Attempt, expected: &mut Acknowledged, writes: &WriteBatch) -> bool {
    let (errors, nothing) = (expected.errors, WriteBatch::default());
    expected.wait_for(attempt.read(vec![key("a"), key("z")]), &nothing).await;
    expected.wait_for(attempt.list(Scan::new(&ListOptions::default())), &nothing).await;
    expected.wait_for(attempt.alarm(), &nothing).await;
    for (key, value) in writes.entries() {
        attempt.put(vec![(key.clone(), value.clone().unwrap())]).unwrap();
    }
    if let Some(alarm) = writes.alarm() {
        attempt.set_alarm(alarm).unwrap();
    }
    expected.errors == errors
}
