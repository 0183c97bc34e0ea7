//! What can go wrong inside an instance.

use std::fmt;
use std::time::Duration;

/// Why an instance did not answer. It costs the call and the instance, no more.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The guest crashed: `unreachable`, a panic, a memory access out of bounds, `exit`.
    #[error("the component trapped: {0}")]
    Trap(TrapReport),
    /// A service that the guest called could not answer, and the guest had no way to
    /// hear of it.
    #[error("a call to another service failed: {report}")]
    Dependency {
        /// Which, and why.
        report: TrapReport,
        /// When the other may take calls again, if it took none just now.
        retry_after: Option<Duration>,
    },
    /// The guest wanted more memory than its limit, and gave up.
    #[error("the component reached its memory limit of {limit} bytes: {report}")]
    Memory {
        /// The limit, in bytes.
        limit: usize,
        /// What it did then.
        report: TrapReport,
    },
    /// An HTTP handler ended without a response.
    #[error("the component's HTTP handler ended without a response")]
    NoResponse,
    /// An HTTP handler answered with an error code in place of a response.
    #[error("the component's HTTP handler answered with an error: {0}")]
    HandlerError(String),
    /// A new instance could not be made.
    #[error("the component could not be instantiated: {0}")]
    Instantiate(TrapReport),
    /// The request can't be given to a component.
    #[error("the request can't be passed on: {0}")]
    Request(String),
    /// Another call of the same shared instance ended it.
    #[error("the instance ended while it served this call")]
    InstanceLost,
}

/// A trap's cause and the guest's call stack, for the log: never for clients.
#[derive(Debug)]
pub struct TrapReport(wasmtime::Error);

impl TrapReport {
    pub(super) fn new(error: wasmtime::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for TrapReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form prints the chain of causes on one line.
        write!(f, "{:#}", self.0)
    }
}
