//! Names as file names that are safe in every file system.
//!
//! Letters, digits, `_` and `-` stay as they are. Every other byte of the UTF-8 form becomes `%XX`. So the mapping is
//! reversible, a file name never holds a dot, and no name leads out of its directory. If Windows reserves a name, its first
//! letter is written as `%XX`. A name that is too long for a file name ends in `~` and its SHA-256.

use sha2::{Digest, Sha256};

use crate::id::hex;

/// Longest file name of one name: the file name of an alarm holds two of them and a time, in 255 bytes.
const NAME_BYTES_MAX: usize = 112;
const HASH_DIGITS: usize = 64;
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A name that is safe in every file system.
pub fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for (position, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if plain && !(position == 0 && is_reserved(name)) {
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
pub fn is_hashed(file: &str) -> bool {
    file.contains('~')
}

/// The name that a file name writes out; `None` if it is not one of ours.
pub fn written_name(file: &str) -> Option<String> {
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
}
