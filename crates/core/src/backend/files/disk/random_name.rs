//! Names for drafts and for databases that are being deleted. No other process, thread or copy of this library makes
//! the same name.
//!
//! A process id does not distinguish the users of a directory. Two containers may give their processes the same ids, and two
//! copies of the library in one process have the same id.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::hex;
use crate::randomness::Randomness;

const TAG_BYTES: usize = 16;

/// Makes names that begin with a random tag of this user of a directory.
#[derive(Debug)]
pub struct RandomNames {
    tag: String,
    count: AtomicU64,
}

impl RandomNames {
    /// Names with a new tag.
    pub fn new(random: &mut impl Randomness) -> Self {
        let mut tag = [0; TAG_BYTES];
        random.fill(&mut tag);
        Self { tag: hex(&tag), count: AtomicU64::new(0) }
    }

    /// A name that was never made before: letters, digits and `-`.
    pub fn next(&self) -> String {
        format!("{}-{}", self.tag, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_made_twice_by_one_user_or_by_two() {
        let mut seed = 0;
        let mut random = |bytes: &mut [u8]| {
            seed += 1;
            bytes.fill(seed);
        };
        let (one, other) = (RandomNames::new(&mut random), RandomNames::new(&mut random));
        let names = [one.next(), one.next(), other.next(), other.next()];
        assert_eq!(names[0], format!("{}-0", "01".repeat(TAG_BYTES)));
        for (position, name) in names.iter().enumerate() {
            assert!(!names[position + 1..].contains(name), "{names:?}");
        }
    }
}
