//! An upstream that was declared, and what is kept of it on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use stoa_gateway::Endpoint;
use stoa_gateway::table::ServiceRoutes;
use stoa_mesh::upstream::Upstream;
use stoa_settings::upstream::UpstreamSettings;

/// The kind of these records in the store.
pub(super) const KIND: &str = "upstream";

/// What is kept of an upstream on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UpstreamRecord {
    /// Counts its declarations.
    pub(super) number: u64,
    pub(super) settings: UpstreamSettings,
}

/// An upstream that was declared, with its routes worked out.
#[derive(Clone)]
pub(super) struct Declared {
    pub(super) record: UpstreamRecord,
    pub(super) upstream: Arc<Upstream>,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
}

/// All that were declared, by name.
pub(super) type AllDeclared = BTreeMap<String, Declared>;

// === impl Declared ===

impl Declared {
    /// Counts its declarations.
    pub(super) fn number(&self) -> u64 {
        self.record.number
    }

    pub(super) fn routes(&self) -> ServiceRoutes {
        ServiceRoutes {
            service: self.upstream.name.clone(),
            live: vec![(100, self.endpoints.clone())],
        }
    }
}
