//! `Store`: which objects there are.

use ferroflare_core::backend::{ObjectKey, Store};
use ferroflare_core::range::ListOptions;

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, alarm, clear, object_key, put, remove};

on_every_place!(
    the_same_key_is_the_same_object,
    objects_do_not_see_each_other,
    object_ids_are_those_with_data_or_an_alarm,
    places_do_not_see_each_other,
    names_are_recorded_beside_the_data,
);

async fn the_same_key_is_the_same_object(place: &dyn TestPlace) {
    let place = place.open().await;
    Caller::new(&place).put("a", "value").await;
    assert_eq!(Caller::new(&place).get("a").await.as_deref(), Some("value"));
}

async fn objects_do_not_see_each_other(place: &dyn TestPlace) {
    let place = place.open().await;
    let keys = [("A", "1"), ("A", "12"), ("A1", "2"), ("A", "1:2"), ("A:1", "2")]
        .map(|(name, id)| ObjectKey { name: name.into(), id: id.into() });
    for key in &keys {
        Caller::of(&place, key).put("key", &key.to_string()).await;
        Caller::of(&place, key).put(&key.id, "own").await;
    }
    for key in &keys {
        let caller = Caller::of(&place, key);
        assert_eq!(caller.get("key").await, Some(key.to_string()));
        assert_eq!(caller.keys(&ListOptions::default()).await, [&*key.id, "key"]);
    }
    Caller::of(&place, &keys[0]).write(clear()).await;
    for key in &keys[1..] {
        let caller = Caller::of(&place, key);
        assert_eq!(caller.keys(&ListOptions::default()).await, [&*key.id, "key"]);
    }
}

async fn object_ids_are_those_with_data_or_an_alarm(place: &dyn TestPlace) {
    let forgets = place.forgets_emptied_objects();
    let place = place.open().await;
    let ids = async |name: &str| -> Vec<String> {
        let ids = place.object_ids(name).wait().await.unwrap();
        ids.iter().map(ToString::to_string).collect()
    };
    let caller = |id: &str| Caller::of(&place, &object_key(id));
    assert!(ids("OBJECT").await.is_empty());
    caller("never written").get("a").await;
    caller("b").put("key", "value").await;
    caller("a").write(alarm(Some(1))).await;
    let other = ObjectKey { name: "OTHER".into(), id: "c".into() };
    Caller::of(&place, &other).put("key", "value").await;
    assert_eq!(ids("OBJECT").await, ["a", "b"]);
    assert_eq!(ids("OTHER").await, ["c"]);
    assert!(
        ids("OBJ").await.is_empty() && ids("object").await.is_empty() && ids("*").await.is_empty()
    );
    caller("b").write(remove(&["key"])).await;
    assert!(!forgets || ids("OBJECT").await == ["a"]);
    assert!(ids("OBJECT").await.contains(&"a".into()));
    caller("a").write(alarm(None)).await;
    assert!(!forgets || ids("OBJECT").await.is_empty());
    caller("b").write(put(&["key"], "again")).await;
    assert!(!forgets || ids("OBJECT").await == ["b"]);
    assert!(ids("OBJECT").await.contains(&"b".into()));
}

async fn places_do_not_see_each_other(place: &dyn TestPlace) {
    let (one, other) = (place.open().await, place.open().await);
    Caller::new(&one).put("a", "value").await;
    assert_eq!(Caller::new(&other).get("a").await, None);
    assert!(other.object_ids("OBJECT").wait().await.unwrap().is_empty());
}

async fn names_are_recorded_beside_the_data(place: &dyn TestPlace) {
    let [place, other] = place.open_twice().await;
    let key = object_key("named");
    let recorded = async |place: &dyn Store| {
        place
            .recorded_name(&key)
            .wait()
            .await
            .unwrap()
            .map(|name| String::from_utf8_lossy(&name).into_owned())
    };
    assert_eq!(recorded(&*place).await, None);
    for name in ["lobby", "", "with space: {é}/..\0"] {
        place.record_name(&key, Some(name)).wait().await.unwrap();
        assert_eq!(recorded(&*place).await.as_deref(), Some(name));
        assert_eq!(recorded(&*other).await.as_deref(), Some(name));
    }
    assert!(place.object_ids(&key.name).wait().await.unwrap().is_empty());
    Caller::of(&place, &key).put("key", "value").await;
    Caller::of(&place, &key).write(clear()).await;
    assert!(recorded(&*place).await.is_some());
    place.record_name(&key, None).wait().await.unwrap();
    place.record_name(&key, None).wait().await.unwrap();
    assert_eq!(recorded(&*place).await, None);
}
