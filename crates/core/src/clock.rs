//! Time and randomness as arguments: the core reads neither itself, and a lint refuses calls that would.

/// Reads the time. Tests may pass a clock of their own.
pub type Clock = fn() -> tokio::time::Instant;

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
