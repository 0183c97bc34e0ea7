//! What a guest is told when its bucket refuses.

use wasmtime::component::ResourceTableError;

use stoa_store::StoreError;
use stoa_telemetry::Seldom;

/// The disk fails each call of each service at once.
static UNUSABLE: Seldom = Seldom::new();

/// `wasi:keyvalue/store.error`, or a trap where the guest broke the rules of the
/// component model.
#[derive(Debug)]
pub(super) enum Error {
    AccessDenied,
    Other(String),
    Trap(wasmtime::Error),
}

impl From<StoreError> for Error {
    /// The guest's own faults are told to it, the host's go to the host's log: a
    /// guest can do nothing about a disk, and should not see the host's paths.
    fn from(fault: StoreError) -> Self {
        use StoreError as S;
        match fault {
            S::BadName { .. }
            | S::NotANumber { .. }
            | S::Overflow { .. }
            | S::BadCursor
            | S::TooLarge { .. } => Self::Other(fault.to_string()),
            S::InUse { .. }
            | S::NotWritable { .. }
            | S::Corrupt(_)
            | S::NoSpace(_)
            | S::Io(_)
            | S::Stopped(_)
            | S::Closed => {
                if UNUSABLE.is_due() {
                    tracing::error!(%fault, "a bucket can't be used");
                }
                Self::Other("the store can't do this now: the host's log has the reason".to_owned())
            }
        }
    }
}

impl From<ResourceTableError> for Error {
    fn from(fault: ResourceTableError) -> Self {
        match fault {
            ResourceTableError::Full => Self::Other(
                "too many resources are open: drop the handles that are done".to_owned(),
            ),
            other => Self::Trap(other.into()),
        }
    }
}
