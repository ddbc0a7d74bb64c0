//! Tells whether another process has had an object while this one had not: each holder writes to the lock file.

use std::sync::Mutex;
use std::time::SystemTime;

use crate::lock::lock;

/// What this process knows of the time without the object.
#[derive(Debug, Default)]
pub struct Absence(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    left: Left,
    was_elsewhere: bool,
}

/// How this process has left the object.
#[derive(Debug, Default, PartialEq, Eq)]
enum Left {
    /// It has the object, or never had it.
    #[default]
    Not,
    /// It wrote to the lock file at that time.
    At(SystemTime),
    /// The lock file is gone.
    Nothing,
}

impl Absence {
    /// This process leaves the object, and has written to the lock file at that time.
    pub fn begin(&self, at: Option<SystemTime>) {
        if let Ok(mut state) = lock(&self.0) {
            state.left = at.map_or(Left::Nothing, Left::At);
        }
    }

    /// This process has the object again. The lock file was last written at that time.
    pub fn end(&self, at: Option<SystemTime>) {
        if let Ok(mut state) = lock(&self.0) {
            let left = std::mem::take(&mut state.left);
            if left != Left::Not && left != at.map_or(Left::Nothing, Left::At) {
                state.was_elsewhere = true;
            }
        }
    }

    /// Whether another process may have had the object since this was asked last.
    pub fn was_elsewhere(&self) -> bool {
        lock(&self.0).is_ok_and(|mut state| std::mem::take(&mut state.was_elsewhere))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn another_holder_shows_by_the_time_of_the_file_and_is_told_once() {
        let absence = Absence::default();
        let early = SystemTime::UNIX_EPOCH;
        let late = early + Duration::from_millis(1);
        absence.end(Some(late));
        assert!(!absence.was_elsewhere(), "this process never had it");
        absence.begin(Some(early));
        absence.end(Some(early));
        assert!(!absence.was_elsewhere());
        absence.begin(Some(early));
        absence.end(Some(late));
        assert!(absence.was_elsewhere());
        assert!(!absence.was_elsewhere());
        absence.begin(None);
        absence.end(Some(late));
        assert!(absence.was_elsewhere(), "the file was removed, and made again");
    }
}
