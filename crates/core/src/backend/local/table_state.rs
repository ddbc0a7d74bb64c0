//! Where the table of an object is: closed, on its way, open, or about to be handed over.

use std::mem;

/// Where the table of an object is. The only ways from one state to another:
///
/// | from | by | to |
/// |---|---|---|
/// | `Closed` | [`Self::begin`], the opener opens a table | `Opening` |
/// | `Open`, `HandingOver` | [`Self::begin`], the opener makes the table take writes | `Upgrading` |
/// | `Opening` | [`Self::arrive`] | `Open` |
/// | `Upgrading` | [`Self::arrive`] | `Open`, or `HandingOver` if that was asked for before |
/// | `Opening`, `Upgrading` | [`Self::fail`] | `Closed` |
/// | `Open` | [`Self::ask_for_hand_over`] | `HandingOver` |
/// | `Open`, `HandingOver` | [`Self::take`] | `Closed` |
///
/// Whether the object still accepts operations is another matter: an object that was retired or closed may be in each of
/// these states.
pub(super) enum TableState<T> {
    /// No table is open, and none is on its way.
    Closed,
    /// The opener opens a table. Other processes may have had the object before.
    Opening,
    /// The opener makes the table take writes. No other process has the object meanwhile, so attempts go on.
    Upgrading {
        /// Whether another process waits for the object.
        hands_over: bool,
    },
    /// The table is open.
    Open(T),
    /// The table is open, and another process waits for the object. The opener gets the table as soon as no turn is held
    /// and every write is sealed.
    HandingOver(T),
}

/// What the opener has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening<T> {
    /// To open a table.
    Open,
    /// To make this table take writes.
    Upgrade(T),
}

impl<T> TableState<T> {
    /// The table, if it is open.
    pub(super) fn get(&self) -> Option<&T> {
        match self {
            Self::Open(table) | Self::HandingOver(table) => Some(table),
            Self::Closed | Self::Opening | Self::Upgrading { .. } => None,
        }
    }

    /// The table, if it is open.
    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Open(table) | Self::HandingOver(table) => Some(table),
            Self::Closed | Self::Opening | Self::Upgrading { .. } => None,
        }
    }

    /// Whether a table is on its way. That always ends.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self, Self::Opening | Self::Upgrading { .. })
    }

    /// Whether the table is open and another process waits for it.
    pub(super) fn is_handing_over(&self) -> bool {
        matches!(self, Self::HandingOver(_))
    }

    /// Sends a table on its way. Returns what the opener has to do, or nothing if a table is on its way already.
    pub(super) fn begin(&mut self) -> Option<Opening<T>> {
        let (next, opening) = match mem::replace(self, Self::Closed) {
            Self::Closed => (Self::Opening, Some(Opening::Open)),
            Self::Open(table) => {
                (Self::Upgrading { hands_over: false }, Some(Opening::Upgrade(table)))
            }
            Self::HandingOver(table) => {
                (Self::Upgrading { hands_over: true }, Some(Opening::Upgrade(table)))
            }
            under_way @ (Self::Opening | Self::Upgrading { .. }) => (under_way, None),
        };
        *self = next;
        opening
    }

    /// Takes in the table that was on its way. Returns whether it is an upgraded one.
    pub(super) fn arrive(&mut self, table: T) -> bool {
        let Self::Upgrading { hands_over } = *self else {
            *self = Self::Open(table);
            return false;
        };
        *self = if hands_over { Self::HandingOver(table) } else { Self::Open(table) };
        true
    }

    /// The table that was on its way does not come. Returns whether it was to be upgraded.
    pub(super) fn fail(&mut self) -> bool {
        matches!(mem::replace(self, Self::Closed), Self::Upgrading { .. })
    }

    /// Another process waits for the object. A table that is not open is not handed over. Returns whether it is open.
    pub(super) fn ask_for_hand_over(&mut self) -> bool {
        match mem::replace(self, Self::Closed) {
            Self::Open(table) | Self::HandingOver(table) => *self = Self::HandingOver(table),
            not_open => *self = not_open,
        }
        self.is_handing_over()
    }

    /// Takes the table away, if it is open.
    pub(super) fn take(&mut self) -> Option<T> {
        match mem::replace(self, Self::Closed) {
            Self::Open(table) | Self::HandingOver(table) => Some(table),
            not_open => {
                *self = not_open;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_opened_once_however_often_it_is_needed() {
        let mut state = TableState::Closed;
        assert_eq!(state.begin(), Some(Opening::Open));
        assert_eq!(state.begin(), None);
        assert_eq!(state.take(), None);
        assert!(state.is_opening() && !state.ask_for_hand_over());
        assert!(!state.arrive("table"));
        assert_eq!(state.get(), Some(&"table"));
    }

    #[test]
    fn a_request_for_the_object_survives_the_upgrade_of_its_table_and_ends_with_it() {
        let mut state = TableState::Open("read");
        assert!(state.ask_for_hand_over());
        assert_eq!(state.begin(), Some(Opening::Upgrade("read")));
        assert!(state.is_opening() && !state.is_handing_over());
        assert!(state.arrive("write"));
        assert!(state.is_handing_over());
        assert_eq!(state.take(), Some("write"));
        assert_eq!(state.begin(), Some(Opening::Open));
        assert!(!state.arrive("again"));
        assert!(!state.is_handing_over());
    }

    #[test]
    fn a_failed_upgrade_is_told_from_a_failed_opening() {
        let mut state = TableState::Open("read");
        state.begin();
        assert!(state.fail());
        assert_eq!(state.begin(), Some(Opening::Open));
        assert!(!state.fail());
        assert_eq!(state.begin(), Some(Opening::Open), "it is closed again");
    }
}
