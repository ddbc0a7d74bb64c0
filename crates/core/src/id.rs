//! Durable Object ids: 32 bytes, written as 64 lower-case hex digits.
//!
//! The scheme is Miniflare 2's (`packages/durable-objects/src/namespace.ts`), so that ids made there are valid here. The
//! last 8 bytes are the first 8 bytes of the SHA-256 of the object's binding name. A named id sets the first bit. A unique
//! id clears the first byte, and its creation time follows.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::randomness::Randomness;

/// Bytes of an id.
pub const ID_BYTES: usize = 32;
/// Bytes at the end of an id that say which binding it belongs to.
const OWNER_BYTES: usize = 8;
const TIME_OFFSET: usize = 1;
const RANDOM_OFFSET: usize = TIME_OFFSET + 8;
const OWNER_OFFSET: usize = ID_BYTES - OWNER_BYTES;

/// Makes and checks the ids of one object name.
#[derive(Clone, Debug)]
pub struct IdFactory {
    object_name: String,
    owner: [u8; OWNER_BYTES],
}

impl IdFactory {
    /// Prepares the ids of `object_name`, the name of the binding.
    pub fn new(object_name: impl Into<String>) -> Self {
        let object_name = object_name.into();
        let hash = Sha256::digest(object_name.as_bytes());
        let mut owner = [0; OWNER_BYTES];
        owner.copy_from_slice(&hash[..OWNER_BYTES]);
        Self { object_name, owner }
    }

    /// The id of `name`: always the same one.
    pub fn id_from_name(&self, name: &str) -> String {
        let mut id: [u8; ID_BYTES] = Sha256::new()
            .chain_update(self.object_name.as_bytes())
            .chain_update(name.as_bytes())
            .finalize()
            .into();
        id[0] |= 0x80;
        id[OWNER_OFFSET..].copy_from_slice(&self.owner);
        hex(&id)
    }

    /// An id that was never given before: the time in milliseconds, then 15 random bytes.
    pub fn new_unique_id(&self, now_ms: u64, random: &mut impl Randomness) -> String {
        let mut id = [0; ID_BYTES];
        id[TIME_OFFSET..RANDOM_OFFSET].copy_from_slice(&now_ms.to_be_bytes());
        random.fill(&mut id[RANDOM_OFFSET..OWNER_OFFSET]);
        id[OWNER_OFFSET..].copy_from_slice(&self.owner);
        hex(&id)
    }

    /// Checks an id string of 64 hex digits, and returns it in lower case.
    ///
    /// As in Miniflare 2, the owner is compared before the case is changed. So an id whose last 16 digits are in upper
    /// case belongs to another object.
    pub fn id_from_string(&self, id: &str) -> Result<String> {
        if id.len() != ID_BYTES * 2 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::IdFormat);
        }
        if !self.owns(id) {
            return Err(Error::IdOwner);
        }
        Ok(id.to_ascii_lowercase())
    }

    /// Whether an id string ends with this name's bytes, written in lower case.
    pub fn owns(&self, id: &str) -> bool {
        id.ends_with(&hex(&self.owner))
    }
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = "8f9973e23d7d465bb827b1ded10ae3e3d1e9b25f9e0763ab8ced46632d58ff07";

    #[test]
    fn named_ids_are_those_of_miniflare_2() {
        assert_eq!(IdFactory::new("TEST_OBJECT").id_from_name("test"), GOLDEN);
    }

    #[test]
    fn unique_ids_hold_time_randomness_and_owner() {
        let ids = IdFactory::new("TEST_OBJECT");
        let mut random = |bytes: &mut [u8]| bytes.fill(0xab);
        let id = ids.new_unique_id(0x0001_0203_0405_0607, &mut random);
        assert_eq!(id, format!("00{}{}{}", "0001020304050607", "ab".repeat(15), &GOLDEN[48..]));
        assert_eq!(ids.id_from_string(&id).unwrap(), id);
    }

    #[test]
    fn malformed_ids_are_refused() {
        let ids = IdFactory::new("TEST_OBJECT");
        for bad in ["", "abc", &GOLDEN[1..], &format!("{GOLDEN}0"), &GOLDEN.replace('8', "g")] {
            assert_eq!(ids.id_from_string(bad), Err(Error::IdFormat), "{bad}");
        }
        assert_eq!(ids.id_from_string(&"é".repeat(32)), Err(Error::IdFormat));
    }

    #[test]
    fn ids_of_another_name_and_upper_case_owners_are_refused() {
        assert_eq!(IdFactory::new("OTHER").id_from_string(GOLDEN), Err(Error::IdOwner));
        let ids = IdFactory::new("TEST_OBJECT");
        assert_eq!(ids.id_from_string(&GOLDEN.to_uppercase()), Err(Error::IdOwner));
        let mixed = format!("{}{}", GOLDEN[..48].to_uppercase(), &GOLDEN[48..]);
        assert_eq!(ids.id_from_string(&mixed).unwrap(), GOLDEN);
    }
}
