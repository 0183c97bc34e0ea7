//! What the API works on.

use std::sync::Arc;

use super::eureka::registry::Registry;
use super::hosts::Hosts;
use crate::deploy::Deployments;
use stoa_gateway::Gateway;
use stoa_gateway::identity::Identity;
use stoa_http::shutdown::{Drain, Stop};
use stoa_telemetry::Telemetry;

/// What the handlers work on. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    /// The services.
    pub deployments: Arc<Deployments>,
    /// API keys and tokens.
    pub identity: Arc<Identity>,
    /// What it keeps of answers.
    pub gateway: Arc<Gateway>,
    /// Logs and metrics.
    pub telemetry: Telemetry,
    /// What has registered by Eureka.
    pub eureka: Arc<Registry>,
    /// By which names it may be asked.
    pub hosts: Hosts,
    /// What a client must send as bearer token.
    pub token: Arc<str>,
    /// Ends the host.
    pub stop: Stop,
    /// Ends what a client follows, when the host ends.
    pub drain: Drain,
}
