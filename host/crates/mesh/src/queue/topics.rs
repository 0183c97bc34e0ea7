//! Which queues there are, and who gets their calls: worked out from the live services.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::registry::{Service, Services};
use stoa_service::contract::InterfaceName;
use stoa_settings as settings;

/// Queues by name, which is that of their interface without its version.
pub type Topics = BTreeMap<Arc<str>, Topic>;

/// One queue: how it keeps calls, and who gets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// As the service that binds it says; of several that say the same, any.
    pub settings: Arc<settings::Queue>,
    /// Whether a live service binds it. Another one only has what it holds delivered.
    pub is_bound: bool,
    /// Services that export the interface, with the version track of it.
    pub subscribers: BTreeMap<Arc<str>, String>,
}

impl Topic {
    /// The queues that these services bind, and those that are `kept` for some of them: what
    /// they hold is delivered to its end, as queues usually are.
    pub fn all(services: &Services, kept: &[String]) -> Topics {
        let mut topics = Topics::new();
        for service in services.values() {
            for (name, interface, settings) in bound(service) {
                let topic = topics.entry(name.into()).or_insert_with(|| Self {
                    settings: Arc::new(settings.clone()),
                    is_bound: true,
                    subscribers: BTreeMap::new(),
                });
                topic.subscribers.extend(exporters(services, &interface));
            }
        }
        for name in kept {
            if !topics.contains_key(&**name) {
                topics.insert(name.as_str().into(), Self::unbound(services, name));
            }
        }
        topics
    }

    fn unbound(services: &Services, name: &str) -> Self {
        let of = |service: &Service| {
            let exports = service.primary().contract.exports().iter();
            let mut of = exports.filter(|one| one.name.unversioned() == name);
            Some((service.name.clone(), of.next_back()?.name.track()))
        };
        Self {
            settings: Arc::default(),
            is_bound: false,
            subscribers: services.values().filter_map(|one| of(one)).collect(),
        }
    }
}

/// The imports that a service binds as queues, and exports for which its routes or others
/// from outside keep calls: name, interface, settings.
fn bound(service: &Service) -> impl Iterator<Item = (&str, InterfaceName, &settings::Queue)> {
    let revision = service.primary();
    let contract = &revision.contract;
    revision.settings.queues.iter().filter_map(|(name, queue)| {
        let mut interfaces = contract.imports().iter().chain(contract.exports());
        let interface = interfaces.find(|one| one.name.unversioned() == *name)?;
        Some((name.as_str(), interface.name.clone(), queue))
    })
}

fn exporters<'a>(
    services: &'a Services,
    interface: &InterfaceName,
) -> impl Iterator<Item = (Arc<str>, String)> + use<'a> {
    let track = interface.track();
    services.values().filter_map(move |service| {
        let exports = service.primary().tracks().any(|one| one == track);
        exports.then(|| (service.name.clone(), track.clone()))
    })
}
