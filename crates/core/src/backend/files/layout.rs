//! Where things are in a directory of objects, and how names become file names.
//!
//! ```text
//! <root>/<NAME>/<id>/                 the RocksDB database of one object
//! <root>/.ferroflare/format           version of this layout
//! <root>/.ferroflare/locks/<o>        locked by the process that holds the object; says which one, and what it left
//! <root>/.ferroflare/wanted/<o>       another process waits for the object
//! <root>/.ferroflare/alarms/<ms>.<o>  the object may have an alarm at that time
//! <root>/.ferroflare/claims/<o>       locked by the process that handles the alarm of the object
//! <root>/.ferroflare/called/<o>       the name that the id of the object was made of
//! <root>/.ferroflare/names/<file>     a name that was too long to be a file name, written out
//! <root>/.ferroflare/trash/           objects on their way out, under random names
//! ```
//! `<o>` is `<NAME>.<id>`. Names and ids of letters, digits, `_` and `-` stand as they are; every other
//! byte of their UTF-8 form becomes `%XX`, so that the mapping is reversible, stays inside the root and
//! never holds a dot. A name that Windows reserves has its first letter written as `%XX`. Names that are
//! too long for a file name end in `~` and their SHA-256, and are read back from `names/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::directories::Directories;
use super::random_name::RandomNames;
use super::whole::write_whole;
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::id::hex;

/// Longest name of a directory: an alarm's file name holds two of them and a time, in 255 bytes.
const NAME_BYTES_MAX: usize = 112;
const HASH_DIGITS: usize = 64;
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The paths below one root.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    names: Arc<RandomNames>,
}

impl Layout {
    /// The layout of `root`; drafts and trash get `names`.
    pub fn new(root: PathBuf, names: RandomNames) -> Self {
        Self { root, names: Arc::new(names) }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Our own corner of it.
    pub fn corner(&self) -> PathBuf {
        self.root.join(".ferroflare")
    }

    /// A file or directory in our corner.
    pub fn own(&self, room: &str) -> PathBuf {
        self.corner().join(room)
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

    /// A new draft of a file, beside it.
    pub fn draft_of(&self, path: &Path) -> PathBuf {
        path.with_extension(self.names.next())
    }

    /// A new place for an object on its way out.
    pub fn new_trash(&self) -> PathBuf {
        self.own("trash").join(self.names.next())
    }

    /// The time and object of an alarm's file name.
    pub fn alarm_of(&self, file: &str) -> Option<(i64, ObjectKey)> {
        let (at, flat) = file.split_once('.')?;
        let (name, id) = flat.split_once('.')?;
        let key = ObjectKey { name: self.name_of(name)?.into(), id: self.name_of(id)?.into() };
        Some((at.parse().ok()?, key))
    }

    /// The name behind a file name; none if it is not one of ours.
    pub fn name_of(&self, file: &str) -> Option<String> {
        if !is_hashed(file) {
            return written_name(file);
        }
        let name = fs::read_to_string(self.own("names").join(file)).ok()?;
        (file_name(&name) == file).then_some(name)
    }

    /// Keeps a name and an id that are too long for a file name, so that they can be read back.
    pub fn remember(&self, key: &ObjectKey, directories: &Directories) -> Result<()> {
        for name in [&key.name, &key.id] {
            let file = file_name(name);
            if !is_hashed(&file) {
                continue;
            }
            let path = self.own("names").join(&file);
            if self.name_of(&file).is_none() {
                directories.create(&self.own("names"))?;
                write_whole(&path, &self.draft_of(&path), name)?;
            }
            directories.note(&path)?;
        }
        Ok(())
    }
}

/// `<NAME>.<id>`.
pub fn flat_name(key: &ObjectKey) -> String {
    format!("{}.{}", file_name(&key.name), file_name(&key.id))
}

/// A name that is safe in every file system.
pub fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for (place, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if plain && !(place == 0 && is_reserved(name)) {
            file.push(char::from(byte));
        } else {
            file.push('%');
            file.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    if file.is_empty() {
        return "%".into();
    }
    if file.len() > NAME_BYTES_MAX {
        let hash = hex(&Sha256::digest(name));
        file.truncate(NAME_BYTES_MAX - HASH_DIGITS - 1);
        file.push('~');
        file.push_str(&hash);
    }
    file
}

/// Whether a file name stands for a name that was too long.
fn is_hashed(file: &str) -> bool {
    file.contains('~')
}

/// The name that a file name writes out; none if it is not one of ours.
fn written_name(file: &str) -> Option<String> {
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
        for (name, file) in
            [("..", "%2E%2E"), ("a/b", "a%2Fb"), ("", "%"), ("\0", "%00"), ("%", "%25")]
        {
            assert_eq!(file_name(name), file);
            assert_eq!(written_name(file).as_deref(), Some(name));
        }
    }

    #[test]
    fn names_that_windows_reserves_are_written_differently() {
        for (name, file) in [("con", "%63on"), ("NUL", "%4EUL"), ("com1", "%63om1")] {
            assert_eq!(file_name(name), file);
            assert_eq!(written_name(file).as_deref(), Some(name));
        }
    }

    #[test]
    fn long_names_keep_apart() {
        let (a, b) = (file_name(&"x".repeat(500)), file_name(&"x".repeat(501)));
        assert_ne!(a, b);
        assert!(a.len() <= NAME_BYTES_MAX);
        assert_eq!(written_name(&a), None);
    }

    #[test]
    fn the_longest_alarm_fits_a_file_name() {
        let long: std::sync::Arc<str> = "x".repeat(500).into();
        let key = ObjectKey { name: long.clone(), id: long };
        assert!(format!("{}.{}", i64::MAX, flat_name(&key)).len() <= 255);
    }

    proptest! {
        #[test]
        fn every_name_that_fits_can_be_read_back(name in ".{0,30}", id in ".{0,10}", at in 1..i64::MAX) {
            let names = RandomNames::new(&mut |_: &mut [u8]| {});
            let layout = Layout::new("nowhere".into(), names);
            let key = ObjectKey { name: name.into(), id: id.into() };
            let flat = flat_name(&key);
            prop_assert!(!flat.contains(['/', '\\', ':']));
            if !is_hashed(&flat) {
                prop_assert_eq!(layout.alarm_of(&format!("{at}.{flat}")), Some((at, key)));
            }
        }
    }
}
