//! "Calls of one caller take effect in the order of the calls, also when their answers come later."

use ferroflare_core::backend::ReadView;
use ferroflare_core::range::{ListOptions, Scan};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, Txn, found, fresh, key, names, put, remove, text};

on_every_place!(
    calls_take_effect_in_order_while_nobody_has_a_turn,
    calls_take_effect_in_order_behind_a_turn,
    answers_may_be_awaited_in_any_order,
    a_read_behind_a_waiting_write_sees_it,
    an_attempt_that_begins_behind_a_waiting_write_sees_it,
    the_writes_out_of_a_turn_do_not_wait_for_it,
);

async fn calls_take_effect_in_order_while_nobody_has_a_turn(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    assert_program_order(&caller, async || ()).await;
}

async fn calls_take_effect_in_order_behind_a_turn(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = std::cell::Cell::new(Some(caller.begin_alone().await));
    assert_program_order(&caller, async || {
        assert!(holder.take().map(drop).is_some(), "the turn ends here");
    })
    .await;
}

/// Makes calls without awaiting their answers, then `meanwhile`, then looks at the answers.
async fn assert_program_order(caller: &Caller, meanwhile: impl AsyncFn()) {
    let object = &caller.0;
    let first = object.write(put(&["a"], "1"), None);
    let second = object.write(put(&["a"], "2"), None);
    let read = object.read(vec![key("a")], ReadView::Latest(None));
    let removed = object.write(remove(&["a"]), None);
    let listed = object.list(Scan::new(&ListOptions::default()), ReadView::Latest(None));
    let third = object.write(put(&["a"], "3"), None);
    let attempt = object.begin(false, None);
    meanwhile().await;
    let last = object.write(put(&["b"], "4"), None);
    assert_eq!(last.wait().await.unwrap().removed, 0);
    let attempt = Txn::new(caller, attempt.wait().await.unwrap());
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("3"));
    assert_eq!(third.wait().await.unwrap().removed, 0);
    assert!(fresh(listed.wait().await.unwrap()).is_empty());
    assert_eq!(removed.wait().await.unwrap().removed, 1);
    let read = fresh(read.wait().await.unwrap()).remove(0);
    assert_eq!(read.as_deref().map(text).as_deref(), Some("2"));
    second.wait().await.unwrap();
    first.wait().await.unwrap();
    assert_eq!(caller.keys(&ListOptions::default()).await, ["a", "b"]);
}

async fn answers_may_be_awaited_in_any_order(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let mut writes: Vec<_> =
        (0..20).map(|round| caller.0.write(put(&["a"], &round.to_string()), None)).collect();
    drop(holder);
    while let Some(write) = writes.pop() {
        write.wait().await.unwrap();
        assert_eq!(caller.get("a").await.as_deref(), Some("19"));
    }
}

async fn a_read_behind_a_waiting_write_sees_it(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    assert_eq!(caller.get("a").await, None, "a read waits for nothing when nothing waits");
    let write = caller.0.write(put(&["a"], "mine"), None);
    let read = caller.0.read(vec![key("a")], ReadView::Latest(None));
    let listed = caller.0.list(Scan::new(&ListOptions::default()), ReadView::Latest(None));
    holder.put("b", "holder");
    assert!(holder.commit().await);
    let read = fresh(read.wait().await.unwrap()).remove(0);
    assert_eq!(read.as_deref().map(text).as_deref(), Some("mine"));
    assert_eq!(names(fresh(listed.wait().await.unwrap())), ["a", "b"]);
    write.wait().await.unwrap();
}

async fn an_attempt_that_begins_behind_a_waiting_write_sees_it(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let write = caller.0.write(put(&["a"], "mine"), None);
    let begin = caller.0.begin(false, None);
    assert!(holder.commit().await);
    let attempt = Txn::new(&caller, begin.wait().await.unwrap());
    assert_eq!(found(attempt.get("a").await).as_deref(), Some("mine"));
    assert!(attempt.commit().await);
    write.wait().await.unwrap();
}

async fn the_writes_out_of_a_turn_do_not_wait_for_it(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let holder = caller.begin_alone().await;
    let waiting = caller.0.write(put(&["a"], "later"), None);
    caller.0.write(put(&["a"], "first"), Some(holder.id())).wait().await.unwrap();
    let view = ReadView::Latest(Some(holder.id()));
    let read = fresh(caller.0.read(vec![key("a")], view).wait().await.unwrap()).remove(0);
    assert_eq!(read.as_deref().map(text).as_deref(), Some("first"));
    assert!(holder.commit().await);
    waiting.wait().await.unwrap();
    assert_eq!(caller.get("a").await.as_deref(), Some("later"));
}
