//! What is registered, and how that changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The registry at one moment: `GET /v1/discovery`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Directory {
    /// Number of the last change. It only grows, over restarts too.
    pub revision: u64,
    /// All members, by service and id.
    pub members: Vec<Member>,
}

/// Something that can take calls for a service: a revision of a component, or an
/// instance of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The service that it belongs to.
    pub service: String,
    /// What it is.
    pub kind: MemberKind,
    /// Unique within its service and kind: the revision's number, or the
    /// instance's id.
    pub id: String,
    /// Whether it takes calls.
    pub state: MemberState,
    /// Share of the calls in per cent; of a revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// `HOST:PORT`, of an upstream's instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What a member is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// A revision of a component, on this host.
    Component,
    /// An instance of an HTTP service somewhere else.
    Upstream,
}

/// Whether a member takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberState {
    /// Not yet: it warms up.
    Starting,
    /// It does.
    Up,
    /// No new ones; those under way end.
    Draining,
    /// It can't: it does not load, or it fails and a breaker is open.
    Down,
    /// It could, but gets none: it has no share of the calls, or an operator took
    /// it out.
    OutOfService,
}

/// One line of a watch (NDJSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum WatchEvent {
    /// Where the watch begins, unless it resumes.
    Snapshot(Directory),
    /// A member is new, or is another than before.
    Put {
        /// The change's number.
        revision: u64,
        /// What it is now.
        member: Member,
    },
    /// A member is gone.
    Delete {
        /// The change's number.
        revision: u64,
        /// The service that it belonged to.
        service: String,
        /// What it was.
        kind: MemberKind,
        /// Its id.
        id: String,
    },
    /// Nothing has changed for a while.
    Heartbeat {
        /// Number of the last change.
        revision: u64,
    },
    /// The reader fell behind what is remembered, and the watch ends: it must take
    /// a new snapshot.
    Compacted {
        /// Number of the last change.
        revision: u64,
    },
}

impl WatchEvent {
    /// Its type, as it is written.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Compacted { .. } => "compacted",
        }
    }

    /// Number of the last change that its reader knows with it.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Snapshot(directory) => directory.revision,
            Self::Put { revision, .. }
            | Self::Delete { revision, .. }
            | Self::Heartbeat { revision }
            | Self::Compacted { revision } => *revision,
        }
    }
}

impl MemberState {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Up => "UP",
            Self::Draining => "DRAINING",
            Self::Down => "DOWN",
            Self::OutOfService => "OUT_OF_SERVICE",
        }
    }
}
