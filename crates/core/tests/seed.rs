//! Random numbers that a failed run can be repeated with.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;

/// The seed of this run: `FERROFLARE_SEED`, or a new one.
pub(crate) fn seed() -> u64 {
    match env::var("FERROFLARE_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("FERROFLARE_SEED is no number: {text}")),
        Err(_) => RandomState::new().hash_one("seed"),
    }
}

/// How many random cases to try: `PROPTEST_CASES`, or `default`.
pub(crate) fn cases(default: u32) -> u32 {
    match env::var("PROPTEST_CASES") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("PROPTEST_CASES is no number: {text}")),
        Err(_) => default,
    }
}

/// The `SplitMix64` generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
