//! Where things are in a directory of objects, and how names become file names.
//!
//! ```text
//! <root>/<NAME>/<id>/                 the RocksDB database of one object
//! <root>/.ferroflare/format           version of this layout
//! <root>/.ferroflare/locks/<o>        locked by the process that holds the object; says which one
//! <root>/.ferroflare/wanted/<o>       another process waits for the object
//! <root>/.ferroflare/alarms/<ms>.<o>  the object may have an alarm at that time
//! <root>/.ferroflare/trash/           objects on their way out
//! ```
//! `<o>` is `<NAME>.<id>`. Names and ids of letters, digits, `_` and `-` stand as they are; every other
//! byte of their UTF-8 form becomes `%XX`, so that the mapping is reversible, stays inside the root and
//! never holds a dot. A name that Windows reserves has its first letter written as `%XX`. Names that are
//! too long for a file name end in `~` and their SHA-256; those are the only ones that cannot be read back.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::backend::ObjectKey;

/// Longest name of a file or directory that every file system takes, less room for a time and an id.
const NAME_BYTES_MAX: usize = 120;
const HASH_DIGITS: usize = 64;
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The paths below one root.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Our own corner of it.
    pub fn own(&self, room: &str) -> PathBuf {
        self.root.join(".ferroflare").join(room)
    }

    /// The directory of the objects of a name.
    pub fn objects(&self, name: &str) -> PathBuf {
        self.root.join(file_name(name))
    }

    /// The database of an object.
    pub fn object(&self, key: &ObjectKey) -> PathBuf {
        self.objects(&key.name).join(file_name(&key.id))
    }

    /// An object's file in one of our rooms.
    pub fn file_of(&self, room: &str, key: &ObjectKey) -> PathBuf {
        self.own(room).join(flat_name(key))
    }

    /// An object's alarm.
    pub fn alarm(&self, key: &ObjectKey, at: i64) -> PathBuf {
        self.own("alarms").join(format!("{at}.{}", flat_name(key)))
    }
}

/// `<NAME>.<id>`.
pub fn flat_name(key: &ObjectKey) -> String {
    format!("{}.{}", file_name(&key.name), file_name(&key.id))
}

/// The object of a `<NAME>.<id>`, unless one of both was too long to be written out.
pub fn object_of(flat: &str) -> Option<ObjectKey> {
    let (name, id) = flat.split_once('.')?;
    Some(ObjectKey {
        name: name_of(name)?.into(),
        id: name_of(id)?.into(),
    })
}

/// The time and object of an alarm's file name.
pub fn alarm_of(file: &str) -> Option<(i64, ObjectKey)> {
    let (at, flat) = file.split_once('.')?;
    Some((at.parse().ok()?, object_of(flat)?))
}

/// A name that is safe in every file system.
pub fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for (place, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if plain && !(place == 0 && is_reserved(name)) {
            file.push(char::from(byte));
        } else {
            file.push_str(&format!("%{byte:02X}"));
        }
    }
    if file.is_empty() {
        return "%".into();
    }
    if file.len() > NAME_BYTES_MAX {
        let hash: String = Sha256::digest(name)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        file.truncate(NAME_BYTES_MAX - HASH_DIGITS - 1);
        file.push('~');
        file.push_str(&hash);
    }
    file
}

/// The name behind a file name; none if it is not one of ours, or was too long to be written out.
pub fn name_of(file: &str) -> Option<String> {
    if file == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(file.len());
    let mut rest = file.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = rest.get(..2)?;
            rest = &rest[2..];
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (file_name(&name) == file).then_some(name)
}

fn is_reserved(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str())
        || (lower.len() == 4
            && (lower.starts_with("com") || lower.starts_with("lpt"))
            && lower.ends_with(|last: char| last.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_stand_as_they_are() {
        for name in ["TEST_OBJECT", "Object1", "a-b", &"0f".repeat(32)] {
            assert_eq!(file_name(name), *name);
        }
    }

    #[test]
    fn nothing_leads_out_of_the_root() {
        for (name, file) in [
            ("..", "%2E%2E"),
            ("a/b", "a%2Fb"),
            ("", "%"),
            ("\0", "%00"),
            ("%", "%25"),
        ] {
            assert_eq!(file_name(name), file);
            assert_eq!(name_of(file).as_deref(), Some(name));
        }
    }

    #[test]
    fn names_that_windows_reserves_are_written_differently() {
        for (name, file) in [("con", "%63on"), ("NUL", "%4EUL"), ("com1", "%63om1")] {
            assert_eq!(file_name(name), file);
            assert_eq!(name_of(file).as_deref(), Some(name));
        }
    }

    #[test]
    fn long_names_keep_apart() {
        let (a, b) = (file_name(&"x".repeat(500)), file_name(&"x".repeat(501)));
        assert_ne!(a, b);
        assert!(a.len() <= NAME_BYTES_MAX);
        assert_eq!(name_of(&a), None);
    }

    proptest! {
        #[test]
        fn every_name_that_fits_can_be_read_back(name in ".{0,30}", id in ".{0,10}") {
            let key = ObjectKey { name: name.into(), id: id.into() };
            let flat = flat_name(&key);
            prop_assert!(!flat.contains(['/', '\\', ':']));
            if !flat.contains('~') {
                prop_assert_eq!(object_of(&flat), Some(key));
            }
        }
    }
}
