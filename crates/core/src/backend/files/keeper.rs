//! Looks after a place in the background: lets go of objects that another process waits for, and finds
//! alarms that other processes have set.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::FilePlace;
use super::layout::flat_name;
use crate::error::{Error, Result};

/// How often to look for wishes: the longest time that an idle object keeps another process waiting.
const TICK: Duration = Duration::from_millis(10);
/// Every so many ticks the alarms are read anew.
const ALARM_TICKS: u32 = 100;

/// Starts looking after `place`, as long as it is used.
pub fn start(place: &Arc<FilePlace>) {
    place.runtime().spawn(look_after(Arc::downgrade(place)));
}

async fn look_after(place: Weak<FilePlace>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        let Some(place) = place.upgrade() else { return };
        if place.users.load(std::sync::atomic::Ordering::Acquire) == 0 {
            return;
        }
        count = count.wrapping_add(1);
        let (end, ended) = oneshot::channel::<()>();
        let workers = place.open_set().workers().clone();
        // The place has nothing open any more when it is closed: no directory that is read here either.
        let under_way = place.open_set().under_way();
        workers.finish(move || {
            grant_wishes(&place);
            if count.is_multiple_of(ALARM_TICKS) {
                // A directory that cannot be read now is read again soon.
                let _ = read_alarms(&place);
            }
            drop((under_way, end));
        });
        // A panic in there must not end the keeper.
        let _ = ended.await;
    }
}

/// Lets go of the objects that others want, where that is possible now.
fn grant_wishes(place: &FilePlace) {
    let Ok(wishes) = fs::read_dir(place.layout().own("wanted")) else {
        return;
    };
    let wanted: HashSet<String> =
        wishes.flatten().filter_map(|wish| wish.file_name().into_string().ok()).collect();
    if wanted.is_empty() {
        return;
    }
    for (key, object) in place.entries() {
        // Most objects are not open, and a name takes time.
        if object.is_open() && wanted.contains(&flat_name(&key)) {
            object.hand_over();
        }
    }
}

/// Reads which alarms are pending. What this process has open is known better than the files say.
pub fn read_alarms(place: &FilePlace) -> Result<()> {
    let path = place.layout().own("alarms");
    let reading = place.alarms.begin_reading()?;
    let signs = match fs::read_dir(&path) {
        Ok(signs) => signs,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("list", &path, &error)),
    };
    let mut found = HashMap::new();
    for sign in signs.flatten() {
        let file = sign.file_name();
        if let Some((at, key)) = file.to_str().and_then(|file| place.layout().alarm_of(file)) {
            let earliest = found.entry(key).or_insert(at);
            *earliest = at.min(*earliest);
        }
    }
    let open: Vec<_> = place
        .entries()
        .into_iter()
        .filter(|(_, object)| object.is_open())
        .map(|(key, _)| key)
        .collect();
    reading.end(&found, &open)
}
