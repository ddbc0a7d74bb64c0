//! Looks after a place in the background: extends the leases of what runs, and reads which alarms are pending.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::RedisPlace;
use super::names::alarms;
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::lock::lock;

/// How often alarms are read that others have set.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often leases are extended, in looks: three times a lease.
const RENEW_LOOKS: u32 = 10;
/// Most alarms of a binding that are known at once.
const ALARMS_MAX: isize = 1000;
/// How long a note counts of an alarm that is not set: its writer may be about to set it, and notes it again
/// each time it tries.
const NOTE_KEPT: Duration = Duration::from_secs(60);

/// When each note of an alarm was first seen, by binding and note.
pub(super) type Seen = HashMap<(Arc<str>, String), Instant>;

/// Looks after `place` until it is closed.
pub(super) fn start(place: &Arc<RedisPlace>) {
    place.shared.runtime.spawn(look_after(Arc::downgrade(place)));
}

async fn look_after(place: Weak<RedisPlace>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    looks.tick().await;
    let mut count = 0_u32;
    loop {
        looks.tick().await;
        let Some(place) = place.upgrade().filter(|place| !place.is_closed()) else {
            return;
        };
        count = count.wrapping_add(1);
        if count.is_multiple_of(RENEW_LOOKS) {
            for object in place.known() {
                object.renew();
            }
        }
        // A server that cannot be reached now is asked again soon.
        let _ = read_alarms(&place).await;
    }
}

/// Reads which alarms are pending. What this process has changed meanwhile is known better here.
pub(super) async fn read_alarms(place: &RedisPlace) -> Result<()> {
    let names = names(place)?;
    if names.is_empty() {
        return Ok(());
    }
    let shared = &place.shared;
    shared.changed_alarms()?.clear();
    let mut found: HashMap<ObjectKey, i64> = HashMap::new();
    let mut seen = Seen::new();
    for name in names {
        let mut cmd = redis::cmd("ZRANGE");
        cmd.arg(alarms(&name)).arg(0).arg(ALARMS_MAX - 1).arg("WITHSCORES");
        for (note, time) in shared.pairs(&cmd).await? {
            let Some((alarm, id)) = note.split_once(' ') else {
                continue;
            };
            #[expect(clippy::cast_possible_truncation, reason = "alarms are whole milliseconds")]
            let time = time.parse::<f64>().unwrap_or_default() as i64;
            let key = ObjectKey { name: name.clone(), id: id.into() };
            let at = (name.clone(), note.clone());
            let first = lock(&place.seen)?.get(&at).copied().unwrap_or_else(Instant::now);
            if shared.has_refused(&key, time, first + NOTE_KEPT)? {
                let _ = shared.forget_alarm(&key, alarm).await;
                continue;
            }
            seen.insert(at, first);
            let earliest = found.entry(key).or_insert(time);
            *earliest = time.min(*earliest);
        }
    }
    *lock(&place.seen)? = seen;
    shared.forget_refusals(&found)?;
    let mut better = place.busy();
    better.extend(shared.changed_alarms()?.iter().cloned());
    shared.alarms.replace(&found, &better)
}

/// The bindings whose alarms matter here.
fn names(place: &RedisPlace) -> Result<BTreeSet<Arc<str>>> {
    let mut names = lock(&place.watched)?.clone();
    names.extend(place.known().iter().map(|object| object.key.name.clone()));
    Ok(names)
}
