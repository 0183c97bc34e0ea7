//! Why a call gets no instance.

use std::time::Duration;

use stoa_engine::Fault;
use stoa_settings::Priority;

/// Why a pool gave no instance.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The queue has no place left.
    #[error("{busy} calls of the service are under way and its queue of {queue} is full")]
    QueueFull {
        /// Calls under way.
        busy: u32,
        /// Calls that may wait.
        queue: u32,
        /// When to try again.
        retry_after: Duration,
    },
    /// So many calls are before it that its turn would come too late.
    #[error("the calls before it take about {wait:?} more, which is longer than it may wait")]
    NoTime {
        /// How long it would wait.
        wait: Duration,
        /// When to try again.
        retry_after: Duration,
    },
    /// No instance became free in time.
    #[error("no instance of the service became free within {waited:?}")]
    QueueDeadline {
        /// How long the call has waited.
        waited: Duration,
        /// When to try again.
        retry_after: Duration,
    },
    /// More calls come than the service serves.
    #[error(
        "the service is overloaded: a call of {priority} priority was given up after {waited:?}"
    )]
    Shed {
        /// How much the call matters.
        priority: Priority,
        /// How long it has waited.
        waited: Duration,
        /// When to try again.
        retry_after: Duration,
    },
    /// A new instance could not be made.
    #[error(transparent)]
    Start(#[from] Fault),
}

impl PoolError {
    /// When another try may work; `None` if that is not known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after, .. }
            | Self::NoTime { retry_after, .. }
            | Self::QueueDeadline { retry_after, .. }
            | Self::Shed { retry_after, .. } => Some(*retry_after),
            Self::Start(_) => None,
        }
    }
}
