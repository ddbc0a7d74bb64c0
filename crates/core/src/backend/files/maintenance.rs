//! Background work of one directory: hands objects over to other processes, and reads the alarms that they have set.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::layout::flat_name;
use super::lock::handover::requested_objects;
use super::place::SharedDirectory;

/// How often requests are read: the longest time that an idle object keeps another process waiting.
const TICK: Duration = Duration::from_millis(10);
/// How often the alarms are read, in ticks.
const ALARM_TICKS: u32 = 100;

/// Runs for as long as stores use the directory.
pub async fn run(directory: Weak<SharedDirectory>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        let Some(directory) = directory.upgrade().filter(|directory| directory.is_used()) else {
            return;
        };
        count = count.wrapping_add(1);
        work(directory, count.is_multiple_of(ALARM_TICKS)).await;
    }
}

/// Does the work of one tick on a thread for work on files.
async fn work(directory: Arc<SharedDirectory>, reads_alarms: bool) {
    let (end, ended) = oneshot::channel::<()>();
    let open_set = directory.shared.open_set.clone();
    // The directory counts as closed only after this: a closed one has no file open, not even a directory that is read here.
    let under_way = open_set.under_way();
    open_set.workers().finish(move || {
        serve_handovers(&directory);
        if reads_alarms {
            // A directory that cannot be read now is read again soon.
            let _ = directory.read_alarms();
        }
        drop((under_way, end));
    });
    // A panic in there must not end the maintenance.
    let _ = ended.await;
}

/// Hands over the objects that other processes have requested, where that is possible now.
fn serve_handovers(directory: &SharedDirectory) {
    let requested = requested_objects(&directory.shared.layout);
    if requested.is_empty() {
        return;
    }
    // Of most objects the name is not needed, because they are not open.
    for object in directory.open_objects() {
        if requested.contains(&flat_name(object.key())) {
            object.hand_over();
        }
    }
}
