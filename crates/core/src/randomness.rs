//! Randomness as an argument: the core has no source of its own.

/// Source of unpredictable bytes.
pub trait Randomness {
    /// Fills `bytes`; a source that cannot must panic, never return predictable bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Randomness for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}
