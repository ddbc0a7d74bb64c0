//! Knows which alarms of a store are pending, without opening the objects, and which of them are claimed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::error::Result;
use crate::lock::lock;
use crate::object_key::ObjectKey;

/// The pending alarms of many objects, by time. Each commit of an object keeps the object's entry true.
#[derive(Debug, Default)]
pub struct AlarmIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_time: BTreeSet<(i64, ObjectKey)>,
    by_object: HashMap<ObjectKey, i64>,
    /// The newest change of each object whose alarm was set or removed here while readings are under way.
    changed: HashMap<ObjectKey, u64>,
    /// Counts these changes.
    changes: u64,
    /// How many readings are under way.
    readings: usize,
    /// Objects whose alarms are not due, because one of them is claimed.
    withheld: HashMap<ObjectKey, Withheld>,
}

/// How long the alarms of an object are not due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Withheld {
    /// Until the claim ends, which this process has.
    Claimed,
    /// Until the others' alarms are read again: another process had the claim.
    Elsewhere,
}

/// A reading of the alarms that other processes have set. Readings may overlap.
#[derive(Debug)]
pub struct AlarmReading<'a> {
    index: &'a AlarmIndex,
    /// How many changes came before it.
    began: u64,
}

impl AlarmIndex {
    /// Notes an object's alarm, in milliseconds, or that it has none.
    pub fn set(&self, object: &ObjectKey, alarm: Option<i64>) -> Result<()> {
        let mut state = lock(&self.state)?;
        if state.readings > 0 {
            state.changes += 1;
            let newest = state.changes;
            state.changed.insert(object.clone(), newest);
        }
        let old = match alarm {
            Some(time) => state.by_object.insert(object.clone(), time),
            None => state.by_object.remove(object),
        };
        if let Some(old) = old {
            state.by_time.remove(&(old, object.clone()));
        }
        if let Some(time) = alarm {
            state.by_time.insert((time, object.clone()));
        }
        Ok(())
    }

    /// An object's alarm, as far as the index knows it.
    pub fn get(&self, object: &ObjectKey) -> Result<Option<i64>> {
        Ok(lock(&self.state)?.by_object.get(object).copied())
    }

    /// An alarm of the object is claimed here: none is due until [`Self::release`].
    pub fn withhold(&self, object: &ObjectKey) -> Result<()> {
        lock(&self.state)?.withheld.insert(object.clone(), Withheld::Claimed);
        Ok(())
    }

    /// The claim of the object's alarm has ended.
    pub fn release(&self, object: &ObjectKey) -> Result<()> {
        lock(&self.state)?.withheld.remove(object);
        Ok(())
    }

    /// Another process has claimed the object's alarm: it is not due until the others' alarms are read again.
    pub fn refuse(&self, object: &ObjectKey) -> Result<()> {
        lock(&self.state)?.withheld.entry(object.clone()).or_insert(Withheld::Elsewhere);
        Ok(())
    }

    /// No other process has the claim any more.
    pub fn readmit(&self, object: &ObjectKey) -> Result<()> {
        let mut state = lock(&self.state)?;
        if state.withheld.get(object) == Some(&Withheld::Elsewhere) {
            state.withheld.remove(object);
        }
        Ok(())
    }

    /// Begins to read the alarms that other processes have set. From now on the index remembers which alarms change here.
    pub fn begin_reading(&self) -> Result<AlarmReading<'_>> {
        let mut state = lock(&self.state)?;
        state.readings += 1;
        Ok(AlarmReading { index: self, began: state.changes })
    }

    /// The earliest pending alarm of objects with one of `names`.
    pub fn first(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        let state = lock(&self.state)?;
        let first = state.by_time.iter().find(|(_, object)| state.shows(object, names));
        Ok(first.map(|(at, _)| *at))
    }

    /// The pending alarms of objects with one of `names` that are due at `now_ms`, by time.
    pub fn due(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        let state = lock(&self.state)?;
        let due = state.by_time.iter().take_while(|(at, _)| *at <= now_ms);
        Ok(due.filter(|(_, object)| state.shows(object, names)).cloned().collect())
    }

    /// The pending alarms of objects with one of `names`, by time.
    pub fn pending(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        let state = lock(&self.state)?;
        let shown = state.by_time.iter().filter(|(_, object)| state.shows(object, names));
        Ok(shown.cloned().collect())
    }

    /// Whether an alarm of the object is claimed, here or in another process.
    pub fn withholds(&self, object: &ObjectKey) -> Result<bool> {
        Ok(lock(&self.state)?.withheld.contains_key(object))
    }
}

impl State {
    fn shows(&self, object: &ObjectKey, names: &[Arc<str>]) -> bool {
        names.contains(&object.name) && !self.withheld.contains_key(object)
    }
}

impl AlarmReading<'_> {
    /// Takes `found` for true, except for the objects in `keep` and those whose alarm has changed here since the reading
    /// began.
    pub fn end(self, found: &HashMap<ObjectKey, i64>, keep: &[ObjectKey]) -> Result<()> {
        let keep: HashSet<_> = keep.iter().collect();
        let mut state = lock(&self.index.state)?;
        let State { by_time, by_object, changed, withheld, .. } = &mut *state;
        withheld.retain(|_, reason| *reason == Withheld::Claimed);
        let has_changed =
            |object: &ObjectKey| changed.get(object).is_some_and(|change| *change > self.began);
        let keeps = |object: &ObjectKey| keep.contains(object) || has_changed(object);
        by_object.retain(|object, at| {
            let stays = keeps(object) || found.get(object) == Some(at);
            if !stays {
                by_time.remove(&(*at, object.clone()));
            }
            stays
        });
        for (object, at) in found {
            if !keeps(object) {
                by_object.insert(object.clone(), *at);
                by_time.insert((*at, object.clone()));
            }
        }
        Ok(())
    }
}

/// Also a reading that fails ends here.
impl Drop for AlarmReading<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = lock(&self.index.state) {
            state.readings -= 1;
            if state.readings == 0 {
                state.changed.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: &str) -> ObjectKey {
        ObjectKey { name: "NAME".into(), id: id.into() }
    }

    #[test]
    fn pending_alarms_come_by_time_and_each_object_has_one() {
        let index = AlarmIndex::default();
        index.set(&object("a"), Some(30)).unwrap();
        index.set(&object("b"), Some(20)).unwrap();
        index.set(&object("a"), Some(10)).unwrap();
        let names = ["NAME".into()];
        assert_eq!(index.pending(&names).unwrap(), [(10, object("a")), (20, object("b"))]);
        assert_eq!(index.first(&names).unwrap(), Some(10));
        assert_eq!(index.due(&names, 10).unwrap(), [(10, object("a"))]);
        index.set(&object("a"), None).unwrap();
        assert_eq!(index.pending(&names).unwrap(), [(20, object("b"))]);
        let others = ["OTHER".into()];
        assert!(index.pending(&others).unwrap().is_empty());
        assert!(index.due(&others, i64::MAX).unwrap().is_empty());
        assert_eq!(index.first(&others).unwrap(), None);
    }

    #[test]
    fn an_object_whose_alarm_is_claimed_has_none_that_is_due() {
        let index = AlarmIndex::default();
        let names = ["NAME".into()];
        for (id, at) in [("claimed", 10), ("elsewhere", 20), ("free", 30)] {
            index.set(&object(id), Some(at)).unwrap();
        }
        index.withhold(&object("claimed")).unwrap();
        index.refuse(&object("elsewhere")).unwrap();
        index.set(&object("claimed"), Some(5)).unwrap();
        let free = vec![(30, object("free"))];
        assert_eq!(index.pending(&names).unwrap(), free);
        assert_eq!(index.due(&names, 100).unwrap(), free);
        assert_eq!(index.first(&names).unwrap(), Some(30));
        let found = [(object("claimed"), 5), (object("elsewhere"), 20)].into();
        index.begin_reading().unwrap().end(&found, &[]).unwrap();
        assert_eq!(
            index.pending(&names).unwrap(),
            [(20, object("elsewhere"))],
            "it is asked again"
        );
        index.refuse(&object("elsewhere")).unwrap();
        for id in ["claimed", "elsewhere"] {
            index.readmit(&object(id)).unwrap();
        }
        assert_eq!(index.first(&names).unwrap(), Some(20));
        index.release(&object("claimed")).unwrap();
        assert_eq!(index.first(&names).unwrap(), Some(5));
    }

    #[test]
    fn what_changes_while_the_alarms_of_others_are_read_is_known_better_here() {
        let index = AlarmIndex::default();
        let names = ["NAME".into()];
        for (id, at) in [("set before", 10), ("removed", 20)] {
            index.set(&object(id), Some(at)).unwrap();
        }
        let reading = index.begin_reading().unwrap();
        let found = [(object("removed"), 20), (object("of others"), 40)].into();
        index.set(&object("removed"), None).unwrap();
        index.set(&object("set meanwhile"), Some(30)).unwrap();
        reading.end(&found, &[]).unwrap();
        let pending = [(30, object("set meanwhile")), (40, object("of others"))];
        assert_eq!(index.pending(&names).unwrap(), pending);
        let reading = index.begin_reading().unwrap();
        reading.end(&found, &[object("set meanwhile")]).unwrap();
        assert_eq!(index.pending(&names).unwrap().len(), 3);
    }

    #[test]
    fn a_reading_that_ends_or_fails_takes_nothing_from_one_that_is_still_under_way() {
        let index = AlarmIndex::default();
        let names = ["NAME".into()];
        let nothing = HashMap::new();
        let long = index.begin_reading().unwrap();
        index.set(&object("early"), Some(10)).unwrap();
        let short = index.begin_reading().unwrap();
        drop(index.begin_reading().unwrap());
        short.end(&[(object("early"), 10)].into(), &[]).unwrap();
        index.set(&object("late"), Some(20)).unwrap();
        long.end(&nothing, &[]).unwrap();
        let pending = [(10, object("early")), (20, object("late"))];
        assert_eq!(index.pending(&names).unwrap(), pending);
        index.begin_reading().unwrap().end(&nothing, &[]).unwrap();
        assert!(index.pending(&names).unwrap().is_empty(), "all of it is older than this reading");
    }
}
