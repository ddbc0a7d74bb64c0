//! Taking back: the plain writes of a turn of the event loop vanish as if they had never been, and no other write does.
//!
//! On Redis that is a matter of what is not sent yet: the tests are beside its queue, and in JavaScript.

use ferroflare_core::backend::{AlarmEnd, ObjectStorage};
use ferroflare_core::range::ListOptions;
use ferroflare_core::write_batch::{TurnId, WriteBatch};

use crate::places::{TestPlace, on_place};
use crate::support::{Caller, alarm, clear, put, remove};

macro_rules! where_a_turn_lasts {
    ($($test:ident),+ $(,)?) => {
        on_place!(memory, Memory, $($test),+);
        on_place!(overlay, Overlay, $($test),+);
        on_place!(files, Files, $($test),+);
    };
}

where_a_turn_lasts!(
    the_writes_of_a_turn_are_taken_back_and_others_stay,
    a_turn_that_has_ended_stays,
    a_claim_stands_as_before_the_turn,
);

fn of(turn: TurnId, mut writes: WriteBatch) -> WriteBatch {
    writes.belongs_to(turn);
    writes
}

async fn the_writes_of_a_turn_are_taken_back_and_others_stay(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    let mut stored = put(&["a", "b", "c"], "before");
    stored.set_alarm(Some(10));
    caller.write(stored).await;
    let object: &dyn ObjectStorage = &*caller.0;
    let mut begun = Vec::new();
    for writes in [
        of(1, put(&["a", "d"], "in the turn")),
        of(1, remove(&["b", "missing"])),
        put(&["e"], "of another writer"),
        of(1, alarm(Some(20))),
        of(1, clear()),
        of(1, put(&["a", "f"], "in the turn")),
        put(&["g"], "of another writer"),
    ] {
        begun.push(object.write(writes, None));
    }
    let undone = object.undo(1);
    object.seal();
    for written in begun {
        written.wait().await.unwrap();
    }
    undone.wait().await.unwrap();
    object.seal();
    caller.put("h", "after").await;
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "b", "c", "e", "g", "h"]);
    assert_eq!(caller.get("a").await.as_deref(), Some("before"));
    assert_eq!(caller.alarm().await, Some(10));
    assert_eq!(place.alarms(&["OBJECT".into()]).unwrap().len(), 1);
}

async fn a_turn_that_has_ended_stays(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(of(1, put(&["a"], "first"))).await;
    caller.0.end_turn(1);
    let written = caller.0.write(of(2, put(&["a"], "second")), None);
    caller.0.undo(1).wait().await.unwrap();
    caller.0.undo(2).wait().await.unwrap();
    caller.0.undo(2).wait().await.unwrap();
    caller.0.seal();
    written.wait().await.unwrap();
    assert_eq!(caller.get("a").await.as_deref(), Some("first"));
}

async fn a_claim_stands_as_before_the_turn(place: &dyn TestPlace) {
    let place = place.open().await;
    let caller = Caller::new(&place);
    caller.write(alarm(Some(10))).await;
    let claim = caller.claim(10).await.unwrap();
    let written = caller.0.write(of(1, alarm(Some(20))), None);
    let undone = caller.0.undo(1);
    caller.0.seal();
    written.wait().await.unwrap();
    undone.wait().await.unwrap();
    caller.0.seal();
    assert!(caller.finish(claim.id, AlarmEnd::Postponed).await, "the claimed alarm is still set");
    assert_eq!(caller.alarm().await, Some(10));
}
