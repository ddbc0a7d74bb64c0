//! Names the keys in Redis.
//!
//! Every key of an object starts with its binding's name and its id, `NAME:{id}:`. The braces keep all keys of
//! an object in one hash slot of a cluster. All keys:
//!
//! | key | type | what |
//! |---|---|---|
//! | `NAME:{id}:values` | hash | key to value |
//! | `NAME:{id}:keys` | sorted set | the same keys in byte order, all scores 0 |
//! | `NAME:{id}:meta` | hash | alarm and the claim of it, commit sequence, turn; exists only if needed |
//! | `NAME:{id}:log` | sorted set | keys written since the oldest running attempt, by commit |
//! | `NAME:{id}:live` | sorted set | running attempts, by where they started |
//! | `NAME:{id}:leases` | sorted set | when the lease of each attempt and waiting writer ends |
//! | `NAME:{id}:turns`, `NAME:{id}:blocked` | sorted sets | attempts that wait for a turn, writers that wait for its end |
//! | `NAME:{id}:done:CLIENT.SLOT` | string | reply to a client's newest commit, for ten minutes |
//! | `NAME:{id}:name` | string | the name that the id was made of |
//! | `NAME:objects` | sorted set | ids that may hold data, by when they were last written |
//! | `NAME:alarms` | sorted set | alarms that may be pending, by time |
//! | `ferroflare:names` | set | names of bindings |
//! | `ferroflare:format` | string | version of this layout |

use std::fmt::Write as _;

use crate::backend::ObjectKey;

/// Version of the layout.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// Holds the version of the layout.
pub(crate) const FORMAT: &str = "ferroflare:format";
/// Holds the names of all bindings.
pub(crate) const NAMES: &str = "ferroflare:names";

/// The keys that each script gets, in the order of `KEYS` in `base.lua`.
const PARTS: [&str; 8] = ["meta", "values", "keys", "log", "live", "leases", "turns", "blocked"];

/// The keys of one object.
#[derive(Debug)]
pub(crate) struct ObjectNames {
    prefix: String,
    keys: [String; 8],
}

impl ObjectNames {
    /// The keys of the object of that name and id.
    pub(crate) fn new(object: &ObjectKey) -> Self {
        let prefix = format!("{}:{{{}}}:", encode(&object.name), encode(&object.id));
        let keys = PARTS.map(|part| format!("{prefix}{part}"));
        Self { prefix, keys }
    }

    /// What the scripts get as `KEYS`.
    pub(crate) fn all(&self) -> &[String] {
        &self.keys
    }

    /// The hash with the values.
    pub(crate) fn values(&self) -> &str {
        &self.keys[1]
    }

    /// The hash with the alarm.
    pub(crate) fn meta(&self) -> &str {
        &self.keys[0]
    }

    /// The key that holds the name that the id was made of.
    pub(crate) fn called(&self) -> String {
        format!("{}name", self.prefix)
    }

    /// The key that holds the reply to a commit.
    pub(crate) fn done(&self, client: &str, slot: usize) -> String {
        format!("{}done:{client}.{slot}", self.prefix)
    }
}

/// The sorted set of the ids of a binding's objects.
pub(crate) fn objects(name: &str) -> String {
    format!("{}:objects", encode(name))
}

/// The sorted set of a binding's alarms.
pub(crate) fn alarms(name: &str) -> String {
    format!("{}:alarms", encode(name))
}

/// Encodes a name or an id for use in a key. Each byte of `:`, `{`, `}`, `%`, white space and control
/// characters becomes `%` and two hex digits. The empty text becomes `%`.
pub(crate) fn encode(text: &str) -> String {
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
