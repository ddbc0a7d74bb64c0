//! `Store::close`: later operations fail with `Error::Closed`, and waiting ones fail or are done; nothing hangs.

use std::fmt::Debug;

use ferroflare_core::backend::ReadView;
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::{Error, ErrorKind, Result};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, key, object_key, put};

on_every_place!(
    every_operation_of_a_closed_place_fails,
    every_operation_of_an_object_of_a_closed_place_fails,
    operations_fail_from_the_very_call_that_closes,
    operations_that_wait_end_when_the_place_closes,
    an_attempt_of_a_closed_place_fails_and_ends_without_a_trace,
    closing_twice_is_closing_once,
);

async fn every_operation_of_a_closed_place_fails(place: &dyn TestPlace) {
    let place = place.open().await;
    Caller::new(&place).put("a", "value").await;
    place.close().wait().await.unwrap();
    assert_eq!(place.object(&object_key("one")).err(), Some(Error::Closed));
    assert_eq!(place.object(&object_key("new")).err(), Some(Error::Closed));
    assert_eq!(place.object_ids("OBJECT").wait().await, Err(Error::Closed));
    assert_eq!(place.alarms(&["OBJECT".into()]), Err(Error::Closed));
    assert_eq!(Error::Closed.kind(), ErrorKind::Storage);
}

async fn every_operation_of_an_object_of_a_closed_place_fails(place: &dyn TestPlace) {
    let place = place.open().await;
    let object = place.object(&object_key("one")).unwrap();
    let start = object.begin(false, None).wait().await.unwrap();
    place.close().wait().await.unwrap();
    for view in [ReadView::Latest(None), ReadView::Since(start)] {
        assert_eq!(object.read(vec![key("a")], view).wait().await, Err(Error::Closed));
        let all = Scan::new(&ListOptions::default());
        assert_eq!(object.list(all, view).wait().await, Err(Error::Closed));
        assert_eq!(object.alarm(view).wait().await, Err(Error::Closed));
    }
    assert_eq!(object.write(put(&["a"], "value"), None).wait().await, Err(Error::Closed));
    assert_eq!(object.take_alarm(i64::MAX).wait().await, Err(Error::Closed));
    for turn in [false, true] {
        assert_eq!(object.begin(turn, None).wait().await, Err(Error::Closed));
    }
    let commit = object.commit(start, <_>::default(), put(&["a"], "value"));
    assert_eq!(commit.wait().await, Err(Error::Closed));
    object.end(start);
}

/// Not when it is closed: that could come between two writes of one turn of an event loop.
async fn operations_fail_from_the_very_call_that_closes(place: &dyn TestPlace) {
    let place = place.open().await;
    let object = place.object(&object_key("one")).unwrap();
    assert!(object.write(put(&["a"], "value"), None).wait().await.is_ok());
    let closing = place.close();
    assert_eq!(object.write(put(&["b"], "value"), None).wait().await, Err(Error::Closed));
    closing.wait().await.unwrap();
}

fn assert_ended<T: Debug>(result: &Result<T>, place: &dyn TestPlace) {
    let done = result.is_ok() && place.finishes_what_waits();
    assert!(done || matches!(result, Err(Error::Closed)), "{result:?}");
}

async fn operations_that_wait_end_when_the_place_closes(place_under_test: &dyn TestPlace) {
    let place = place_under_test.open().await;
    let caller = Caller::new(&place);
    let object = &caller.0;
    let beside = caller.begin().await;
    let alone = caller.begin_alone().await;
    let write = object.write(put(&["a"], "value"), None);
    let read = object.read(vec![key("a")], ReadView::Latest(None));
    let begin = object.begin(false, None);
    let turn = object.begin(true, None);
    let take = object.take_alarm(i64::MAX);
    beside.put("b", "value");
    let commit = beside.0.commit(false);
    place.close().wait().await.unwrap();
    // What the closing place does itself may be done; what others would have to go on with is not.
    assert_ended(&write.wait().await, place_under_test);
    assert_ended(&read.wait().await, place_under_test);
    assert_ended(&begin.wait().await, place_under_test);
    assert_ended(&commit.wait().await, place_under_test);
    assert_eq!(turn.wait().await, Err(Error::Closed));
    assert_eq!(take.wait().await, Err(Error::Closed));
    assert_eq!(alone.0.commit(false).wait().await, Err(Error::Closed));
}

async fn an_attempt_of_a_closed_place_fails_and_ends_without_a_trace(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    let attempt = caller.begin().await;
    attempt.put("a", "value");
    place.close().wait().await.unwrap();
    assert_eq!(attempt.0.read(vec![key("b")]).wait().await, Err(Error::Closed));
    assert_eq!(attempt.0.commit(false).wait().await, Err(Error::Closed));
}

async fn closing_twice_is_closing_once(place: &dyn TestPlace) {
    let place = place.open().await;
    place.close().wait().await.unwrap();
    place.close().wait().await.unwrap();
}
