//! Background work of one server in use: extends the leases of what runs, and reads which alarms are pending.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::place::SharedServer;
use crate::error::Result;

/// How often the alarms that other processes have set are read.
const READ_EVERY: Duration = Duration::from_secs(1);
/// How often leases are extended, in readings: three times a lease.
const RENEW_READINGS: u32 = 10;

/// Runs until the place is closed.
pub(crate) async fn run(place: Weak<SharedServer>) {
    let mut ticks = tokio::time::interval(READ_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        let Some(place) = place.upgrade().filter(|place| !place.is_closed()) else {
            return;
        };
        count = count.wrapping_add(1);
        if count.is_multiple_of(RENEW_READINGS) {
            for object in place.objects() {
                object.driver.renew();
            }
        }
        // A server that cannot be reached now is asked again at the next tick.
        let _ = read_alarms(&place).await;
    }
}

/// Reads from the server which alarms of the watched bindings are pending.
pub(crate) async fn read_alarms(place: &Arc<SharedServer>) -> Result<()> {
    let names = place.watched()?;
    if names.is_empty() {
        return Ok(());
    }
    let shared = &place.shared;
    let mut reading = shared.alarms.begin_reading()?;
    for name in names {
        for entry in shared.registry.alarms(&name).await? {
            if !shared.alarms.read(&mut reading, &entry, shared.now())? {
                let _ = shared.registry.remove_alarm(&entry.object, &entry.alarm).await;
            }
        }
    }
    shared.alarms.end_reading(reading, &place.busy())
}
