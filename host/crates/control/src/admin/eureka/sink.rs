//! What registers is an instance of an upstream, named by its application.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::model::{Instance, Status};
use super::registry::Sink;
use crate::deploy::Deployments;
use stoa_api::upstream::{Registration, Status as State};
use stoa_settings::service_name;

/// Joins instances to upstreams, each with its own lease, and lets them leave.
pub struct UpstreamSink {
    deployments: Arc<Deployments>,
    /// What joined from here, by application and id.
    joined: Mutex<BTreeMap<(String, String), Registration>>,
}

impl UpstreamSink {
    /// Joins instances to the upstreams of this host.
    pub fn new(deployments: Arc<Deployments>) -> Self {
        Self {
            deployments,
            joined: Mutex::default(),
        }
    }

    /// Whether it joined; else the log says why not.
    fn join(&self, upstream: &str, id: &str, registration: &Registration) -> bool {
        let joined = if self.deployments.has_component(upstream) {
            Err("a service of components has its name".to_owned())
        } else {
            let upstreams = self.deployments.upstream_registry();
            upstreams.join(upstream, id, registration)
        };
        if let Err(reason) = &joined {
            tracing::warn!(
                upstream,
                instance = id,
                "registered by Eureka, but gets no calls: {reason}"
            );
        }
        joined.is_ok()
    }
}

impl Sink for UpstreamSink {
    fn changed(&self, app: &str, instances: &[Arc<Instance>]) {
        let Some(upstream) = upstream_name(app) else {
            tracing::warn!(
                app,
                "registered by Eureka, but gets no calls: its name can't be a host's"
            );
            return;
        };
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        joined.retain(|(of, id), _| {
            let stays = of != app || instances.iter().any(|one| one.id == *id);
            let upstreams = self.deployments.upstream_registry();
            if !stays && let Err(error) = upstreams.leave(&upstream, id) {
                tracing::debug!("it was gone already: {error}");
            }
            stays
        });
        for instance in instances {
            let key = (app.to_owned(), instance.id.clone());
            let registration = registration(instance);
            // Joining anew would renew the lease of who was not heard of.
            if joined.get(&key) != Some(&registration)
                && self.join(&upstream, &instance.id, &registration)
            {
                joined.insert(key, registration);
            }
        }
    }

    fn renewed(&self, instance: &Instance) {
        let Some(upstream) = upstream_name(&instance.app) else {
            return;
        };
        let upstreams = self.deployments.upstream_registry();
        if upstreams.heartbeat(&upstream, &instance.id, None).is_err() {
            self.join(&upstream, &instance.id, &registration(instance));
        }
    }
}

/// `MY_APP` is `my-app`: upstreams have the names of hosts.
fn upstream_name(app: &str) -> Option<String> {
    let name = app.to_lowercase().replace(['_', '.', ' '], "-");
    service_name(&name).is_ok().then_some(name)
}

fn registration(instance: &Instance) -> Registration {
    let host = if instance.ip.is_empty() {
        &instance.host
    } else {
        &instance.ip
    };
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.clone(),
    };
    let (scheme, port) = if instance.port.enabled || !instance.secure_port.enabled {
        ("http", instance.port)
    } else {
        ("https", instance.secure_port)
    };
    Registration {
        url: format!("{scheme}://{host}:{}", port.number),
        weight: None,
        metadata: instance.metadata.clone(),
        ttl: Some(instance.lease.duration),
        status: Some(match instance.status() {
            Status::Up => State::Up,
            Status::Starting => State::Starting,
            Status::OutOfService => State::OutOfService,
            Status::Down | Status::Unknown => State::Down,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::upstream_name;

    #[test]
    fn upstreams_have_the_names_of_hosts() {
        assert_eq!(upstream_name("MY_APP.V2").as_deref(), Some("my-app-v2"));
        assert_eq!(upstream_name("7UP"), None);
        assert_eq!(upstream_name("ÄPP"), None);
    }
}
