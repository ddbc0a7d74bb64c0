//! Which alarms of a place are pending, without touching the objects.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use crate::error::Result;
use crate::lock::lock;
use crate::object_key::ObjectKey;

/// The pending alarms of many objects, by time. Each object's commit keeps its entry true.
#[derive(Debug, Default)]
pub struct AlarmIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_time: BTreeSet<(i64, ObjectKey)>,
    by_object: HashMap<ObjectKey, i64>,
}

impl AlarmIndex {
    /// Notes an object's alarm, in milliseconds, or that it has none.
    pub fn set(&self, object: &ObjectKey, alarm: Option<i64>) -> Result<()> {
        let mut state = lock(&self.state)?;
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

    /// An object's alarm, as far as it is known.
    pub fn get(&self, object: &ObjectKey) -> Result<Option<i64>> {
        Ok(lock(&self.state)?.by_object.get(object).copied())
    }

    /// Takes `found` for true, except for the objects in `keep`.
    pub fn replace(&self, found: &HashMap<ObjectKey, i64>, keep: &[ObjectKey]) -> Result<()> {
        let mut state = lock(&self.state)?;
        let State { by_time, by_object } = &mut *state;
        by_object.retain(|object, at| {
            let stays = keep.contains(object) || found.get(object) == Some(at);
            if !stays {
                by_time.remove(&(*at, object.clone()));
            }
            stays
        });
        for (object, at) in found {
            if !keep.contains(object) {
                by_object.insert(object.clone(), *at);
                by_time.insert((*at, object.clone()));
            }
        }
        Ok(())
    }

    /// The pending alarms of objects with one of `names`, by time.
    pub fn pending(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        let state = lock(&self.state)?;
        Ok(state
            .by_time
            .iter()
            .filter(|(_, object)| names.contains(&object.name))
            .cloned()
            .collect())
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
        index.set(&object("a"), None).unwrap();
        assert_eq!(index.pending(&names).unwrap(), [(20, object("b"))]);
        assert!(index.pending(&["OTHER".into()]).unwrap().is_empty());
    }
}
