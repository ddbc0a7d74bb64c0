//! After a power loss at any time, everything that was acknowledged is there, and alarms are found.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ferroflare_core::backend::{ObjectKey, Store};
use ferroflare_core::range::ListOptions;
use ferroflare_core::write_batch::WriteBatch;

use super::losing_disk::{LosingDisk, lose_power};
use crate::places::{Directory, FSYNC};
use crate::seed::{Random, seed};
use crate::support::{Caller, key};

/// What has been acknowledged of one object.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    keys: BTreeMap<String, String>,
    alarm: Option<i64>,
}

const NAMES: [&str; 3] = [
    "ROOM",
    "HALL",
    "a name that is too long to be the name of a file, so that it is kept in a file beside the databases, which a power loss must not take",
];
const STEPS: u32 = 60;
const STEPS_EACH: u32 = 6;

fn draw_key(random: &mut Random) -> ObjectKey {
    let name = NAMES[usize::try_from(random.below(3)).unwrap()];
    ObjectKey { name: name.into(), id: format!("{}", random.below(3)).into() }
}

/// Lock files, with all that was ever in them.
type Records = BTreeMap<OsString, Vec<Vec<u8>>>;

const LOCKS: &str = "a/b/root/.ferroflare/locks";

fn remember_records(locks: &Path, records: &mut Records) {
    // Before the first write there is none.
    for entry in fs::read_dir(locks).into_iter().flatten() {
        let entry = entry.unwrap();
        // One that is being deleted may be gone.
        let texts = records.entry(entry.file_name()).or_default();
        if let Ok(text) = fs::read(entry.path())
            && texts.last() != Some(&text)
        {
            texts.push(text);
        }
    }
}

/// Leaves of each lock file what it has had at some time, or nothing: it is never synced.
fn leave_records(locks: &Path, records: &Records, random: &mut Random) {
    fs::create_dir_all(locks).unwrap();
    for (file, texts) in records {
        let text = usize::try_from(random.below(texts.len() as u64 + 1)).unwrap();
        if let Some(text) = texts.get(text) {
            fs::write(locks.join(file), text).unwrap();
        }
    }
}

/// Draws a write, and what it makes of the object.
fn draw_write(random: &mut Random, content: &mut Content) -> WriteBatch {
    let mut batch = WriteBatch::default();
    let (name, value) = (format!("key {}", random.below(3)), random.next().to_string());
    match random.below(8) {
        0 => {
            batch.clear();
            batch.set_alarm(None);
            *content = Content::default();
        }
        1 => {
            batch.delete(key(&name));
            content.keys.remove(&name);
        }
        2 => {
            batch.set_alarm(None);
            content.alarm = None;
        }
        3..6 => {
            let at = 1 + i64::try_from(random.below(1_000_000)).unwrap();
            batch.set_alarm(Some(at));
            content.alarm = Some(at);
        }
        _ => {
            batch.put(key(&name), key(&value));
            content.keys.insert(name, value);
        }
    }
    batch
}

#[tokio::test]
async fn everything_acknowledged_survives_a_power_loss_and_alarms_are_found_without_opening() {
    let seed = seed();
    println!("FERROFLARE_SEED={seed}");
    let mut random = Random::new(seed);
    let disk = Arc::new(LosingDisk::new());
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart_in("a/b/root", FSYNC, disk.clone());
    let mut acknowledged = BTreeMap::<ObjectKey, Content>::new();
    let mut records = Records::new();
    for step in 1..=STEPS {
        let object = draw_key(&mut random);
        let batch = draw_write(&mut random, acknowledged.entry(object.clone()).or_default());
        Caller::of(&place, &object).write(batch).await;
        remember_records(&directory.path().join(LOCKS), &mut records);
        if step % STEPS_EACH == 0 {
            let after = Directory::new();
            lose_power(directory.path(), after.path(), &mut random);
            leave_records(&after.path().join(LOCKS), &records, &mut random);
            check(&after.open_apart_in("a/b/root", FSYNC, disk.clone()), &acknowledged).await;
        }
    }
}

/// Looks for everything in a directory that a power loss has left.
async fn check(place: &Arc<impl Store + 'static>, acknowledged: &BTreeMap<ObjectKey, Content>) {
    let place: Arc<dyn Store> = place.clone();
    let names: Vec<Arc<str>> = NAMES.map(Arc::from).to_vec();
    let pending = place.alarms(&names).unwrap();
    for (object, content) in acknowledged {
        if let Some(at) = content.alarm {
            let found = pending.iter().any(|(time, key)| *time <= at && key == object);
            assert!(found, "the alarm of {object} at {at} is not among {pending:?}");
        }
        if *content != Content::default() {
            assert!(
                place.object_names().wait().await.unwrap().contains(&object.name),
                "{object} has no name"
            );
            assert!(
                place.object_ids(&object.name).wait().await.unwrap().contains(&object.id),
                "{object}"
            );
        }
        let caller = Caller::of(&place, object);
        let found: Vec<String> = caller.keys(&ListOptions::default()).await;
        assert!(found.iter().eq(content.keys.keys()), "{object}: {found:?} instead of {content:?}");
        for (name, value) in &content.keys {
            assert_eq!(caller.get(name).await.as_ref(), Some(value), "{object}: {name}");
        }
        assert_eq!(caller.alarm().await, content.alarm, "{object}");
    }
    for (object, content) in acknowledged {
        let taken = Caller::of(&place, object).take_alarm(i64::MAX).await;
        assert_eq!(taken, content.alarm.is_some(), "{object}");
    }
    assert_eq!(place.alarms(&names), Ok(vec![]), "the marker of an alarm that is not set stays");
}
