//! What a lock file says: which process has the object, or what the last holder has left.
//!
//! The first line is the state. An inventory of the database's files may follow, with a digest of everything before it.
//! Without that digest the file was written only in part, and only the name of a holder counts. Earlier versions wrote
//! the first line alone.

use std::fmt;
use std::process;

use crate::backend::files::database::inventory::{Inventory, digest};

const CLEAN: &str = "settled";
const CLOSED: &str = "closed";
const HELD: &str = "process ";
const END: &str = "end ";

/// What a lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Which process has the object, or how the last holder has left it.
    pub state: State,
    /// What the files of the database are.
    pub inventory: Option<Inventory>,
}

/// Which process has an object, or how the last holder has left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// A process has it, or was killed while it had it.
    Held(Holder),
    /// It was closed, but a power loss may take writes from it.
    Closed,
    /// It was closed, and everything in it is durable.
    Clean,
    /// The file does not say.
    #[default]
    Unknown,
}

/// A process, by the number that it has in its own container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(u32);

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{HELD}{}", self.0)?;
        if self.0 == process::id() {
            out.write_str(" of another container, or another copy of ferroflare in this process")?;
        }
        Ok(())
    }
}

impl Record {
    /// The record of an object that this process has.
    pub fn held(inventory: Option<Inventory>) -> Self {
        Self { state: State::Held(Holder(process::id())), inventory }
    }

    /// Whether no holder has ever written to the file.
    pub fn is_empty(&self) -> bool {
        self.state == State::Unknown && self.inventory.is_none()
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let state = match &self.state {
            State::Held(Holder(number)) => format!("{HELD}{number}"),
            State::Closed => CLOSED.into(),
            State::Clean => CLEAN.into(),
            State::Unknown => String::new(),
        };
        let Some(inventory) = &self.inventory else {
            return state;
        };
        let text = format!("{state}\n{inventory}");
        let end = digest(text.as_bytes());
        format!("{text}{END}{end}\n")
    }

    /// Reads the text of a file. If it was written only in part, it names at most the holder.
    pub fn parse(text: &str) -> Self {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let said =
            text.rsplit_once(END).filter(|(said, end)| digest(said.as_bytes()) == end.trim_end());
        let inventory = said.and_then(|(said, _)| Inventory::parse(said.split_once('\n')?.1));
        let whole = rest.is_empty() && !text.ends_with('\n') || inventory.is_some();
        let holder = first.strip_prefix(HELD).and_then(|number| number.parse().ok());
        let state = match (first, holder) {
            (_, Some(number)) => State::Held(Holder(number)),
            (CLEAN, _) if whole => State::Clean,
            (CLOSED, _) if whole => State::Closed,
            _ => State::Unknown,
        };
        Self { state, inventory }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVENTORY: &str =
        "boot 1-2\ndatabase 0f\nMANIFEST-000005 242+ 0a\n000004.log 0+ -\n000008.sst 17 -\n";

    #[test]
    fn what_is_written_is_read() {
        let inventory = Inventory::parse(INVENTORY);
        assert_eq!(inventory.as_ref().unwrap().to_string(), INVENTORY);
        for state in [State::Clean, State::Closed, State::Held(Holder(7))] {
            for inventory in [None, inventory.clone()] {
                let record = Record { state: state.clone(), inventory };
                assert_eq!(Record::parse(&record.text()), record);
            }
        }
    }

    #[test]
    fn what_earlier_versions_wrote_is_read() {
        assert_eq!(Record::parse("settled"), Record { state: State::Clean, inventory: None });
        assert_eq!(
            Record::parse("process 12"),
            Record { state: State::Held(Holder(12)), inventory: None }
        );
        assert_eq!(Record::parse(""), Record::default());
    }

    #[test]
    fn a_record_that_was_written_in_part_says_nothing_but_who_holds() {
        let record = Record { state: State::Clean, inventory: Inventory::parse(INVENTORY) };
        let text = record.text();
        for length in "settled".len() + 1..text.len() - 1 {
            assert_eq!(Record::parse(&text[..length]), Record::default(), "{length}");
        }
        let held = Record::held(Inventory::parse(INVENTORY)).text();
        assert_eq!(Record::parse(&held[..held.len() - 3]), Record::held(None));
    }

    #[test]
    fn a_holder_with_our_own_number_is_told_apart_from_us() {
        assert_eq!(Holder(process::id().wrapping_add(1)).to_string().split(' ').count(), 2);
        assert!(Holder(process::id()).to_string().contains("another container"));
    }
}
