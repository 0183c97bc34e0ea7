//! What a guest may ask of its buckets.

/// Bounds on each request, so that no guest can fill the host's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest key, in bytes.
    pub key: usize,
    /// Longest value, in bytes.
    pub value: usize,
    /// Keys in one page of a listing.
    pub page: usize,
    /// Keys in one batch.
    pub batch: usize,
    /// Values in one answer to a batch, in bytes together.
    pub answer: usize,
    /// Values that an instance's open compare-and-swap handles keep, in bytes
    /// together.
    pub held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What the store takes; pages of such keys are small.
            key: stoa_store::MAX_KEY,
            value: stoa_store::MAX_VALUE,
            // A guest can't ask for fewer, so a short list costs a page: as many as
            // lists for people have at most. One of all keys costs no more for it.
            page: 100,
            // What other stores take at once; pages of keys fit.
            batch: 1_000,
            // Half of what an instance may have as memory by default.
            answer: 64 << 20,
            // As an answer: eight of the largest values.
            held: 64 << 20,
        }
    }
}
