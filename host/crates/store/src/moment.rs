//! Where a write stands, and how long it took to the disk: for those who want to be there,
//! such as metrics and tests of crashes.

use std::sync::Arc;
use std::time::Duration;

/// Where a write stands that a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is made, and need not be on disk.
    Made,
    /// It is on disk, with all that were made before it, and nobody has been told.
    Durable,
}

/// Called at each moment of each write, on the thread that is at it: that goes on when it
/// returns.
pub type Watch = Arc<dyn Fn(Moment) + Send + Sync>;

/// Called after each flush that made writes durable, with how long it took.
pub type Flushed = Box<dyn Fn(Duration) + Send + Sync>;
