//! What a guest may ask of blobs.

/// Bounds on what a service keeps, and on each request, so that no guest can fill the
/// host's disk or memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What the service may keep, in bytes.
    pub quota: u64,
    /// Objects that an instance reads and writes at a time.
    pub open: usize,
    /// An object that is read at once, in bytes.
    pub whole: u64,
    /// Names in one answer, and in one request.
    pub names: usize,
}

impl Limits {
    /// The usual ones for a service that may keep so much.
    pub fn of(quota: u64) -> Self {
        Self {
            quota,
            // Each is a file: all instances of a large pool together have some thousands.
            open: 32,
            // Half of what an instance may have as memory by default.
            whole: 64 << 20,
            // What S3 and those that are like it give, and take, at once.
            names: 1_000,
        }
    }
}
