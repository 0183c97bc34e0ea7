//! Which container a guest means, and whether it may use it.

use super::error::Error;
use crate::capabilities::Granted;
use stoa_store::ContainerId;

/// What a guest wants of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The container behind `name`, for a service that has this.
pub(super) fn resolve(granted: &Granted, name: &str, access: Access) -> Result<ContainerId, Error> {
    let service = &*granted.service;
    let (owner, container) = name.split_once('/').unwrap_or((service, name));
    let id = ContainerId::new(owner, container)?;
    if owner == service {
        return Ok(id);
    }
    if !granted.containers.iter().any(|grant| covers(grant, &id)) {
        granted.refused.inc();
        tracing::warn!(
            service.name = service,
            container = %id,
            "refused a container of another service: to allow to read it, add \"{id}\" to blobs in [service.{service}.grants]",
        );
        return Err(Error::Told(format!(
            "{service} was not granted the container {id}"
        )));
    }
    match access {
        Access::Read => Ok(id),
        Access::Write => Err(Error::Told(format!(
            "{id} is a container of {owner}: {service} may read it, and only {owner} may change it"
        ))),
    }
}

fn covers(grant: &str, id: &ContainerId) -> bool {
    match grant.split_once('/') {
        Some((owner, name)) => owner == id.service() && name == id.name(),
        None => grant == id.service(),
    }
}
