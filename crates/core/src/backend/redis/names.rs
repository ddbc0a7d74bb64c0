//! How keys of Redis are named.
//!
//! Every key of an object starts with its binding's name and its id, `NAME:{id}:`; the braces keep all of
//! them in one hash slot of a cluster. What else there is:
//!
//! | key | type | what |
//! |---|---|---|
//! | `NAME:{id}:values` | hash | key to value |
//! | `NAME:{id}:keys` | sorted set | the same keys in byte order, all scores 0 |
//! | `NAME:{id}:meta` | hash | alarm, commit sequence, turn; there only if needed |
//! | `NAME:{id}:log` | sorted set | keys written since the oldest running attempt, by commit |
//! | `NAME:{id}:live` | sorted set | running attempts, by where they started |
//! | `NAME:{id}:leases` | sorted set | when to forget whom |
//! | `NAME:{id}:turns`, `NAME:{id}:blocked` | sorted sets | who waits for a turn, or for its end |
//! | `NAME:{id}:done:CLIENT.SLOT` | string | answer of a client's newest commit, for ten minutes |
//! | `NAME:{id}:name` | string | the name that the id was made of |
//! | `NAME:objects` | sorted set | ids that may hold data, by when they were last written |
//! | `NAME:alarms` | sorted set | alarms that may be pending, by time |
//! | `ferroflare:names` | set | names of bindings |
//! | `ferroflare:format` | string | version of all this |

use std::fmt::Write as _;

use crate::backend::ObjectKey;

/// Version of the layout.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Holds the version of the layout.
pub(super) const FORMAT: &str = "ferroflare:format";
/// Holds the names of all bindings.
pub(super) const NAMES: &str = "ferroflare:names";

/// How many keys each script gets, in the order of the table above, `values` and `meta` exchanged.
const PARTS: [&str; 8] = ["meta", "values", "keys", "log", "live", "leases", "turns", "blocked"];

/// The keys of one object.
#[derive(Debug)]
pub(super) struct ObjectNames {
    prefix: String,
    keys: [String; 8],
}

impl ObjectNames {
    /// The keys of the object of that name and id.
    pub(super) fn new(object: &ObjectKey) -> Self {
        let prefix = format!("{}:{{{}}}:", encode(&object.name), encode(&object.id));
        let keys = PARTS.map(|part| format!("{prefix}{part}"));
        Self { prefix, keys }
    }

    /// What the scripts get as `KEYS`.
    pub(super) fn all(&self) -> &[String] {
        &self.keys
    }

    /// The hash with the values.
    pub(super) fn values(&self) -> &str {
        &self.keys[1]
    }

    /// The hash with the alarm.
    pub(super) fn meta(&self) -> &str {
        &self.keys[0]
    }

    /// The name that the id was made of.
    pub(super) fn called(&self) -> String {
        format!("{}name", self.prefix)
    }

    /// Where the answer to a commit is remembered.
    pub(super) fn done(&self, client: &str, slot: usize) -> String {
        format!("{}done:{client}.{slot}", self.prefix)
    }
}

/// The sorted set of the ids of a binding's objects.
pub(super) fn objects(name: &str) -> String {
    format!("{}:objects", encode(name))
}

/// The sorted set of a binding's alarms.
pub(super) fn alarms(name: &str) -> String {
    format!("{}:alarms", encode(name))
}

/// A name or an id without what has a meaning in a key: `:`, `{`, `}`, `%`, white space and control
/// characters become `%` and two hex digits for each byte; nothing at all becomes `%`.
pub(super) fn encode(text: &str) -> String {
    if text.is_empty() {
        return "%".into();
    }
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        let special = matches!(character, ':' | '{' | '}' | '%');
        if special || character.is_whitespace() || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_reaches_into_the_keys_of_another_object() {
        let names = |name: &str, id: &str| {
            ObjectNames::new(&ObjectKey { name: name.into(), id: id.into() }).values().to_owned()
        };
        assert_eq!(names("OBJECT", "ab"), "OBJECT:{ab}:values");
        assert_eq!(names("a:{b}", "c d"), "a%3A%7Bb%7D:{c%20d}:values");
        assert_eq!(names("", ""), "%:{%}:values");
        assert_ne!(names("%", ""), names("", "%"));
        assert_eq!(encode("é*?"), "é*?");
    }
}
