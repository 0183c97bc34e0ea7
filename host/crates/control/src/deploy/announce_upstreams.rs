//! Tells discovery what the instances of upstreams are at.

use std::sync::Arc;
use std::time::Duration;

use super::Deployments;
use stoa_api::upstream::Status;
use stoa_api::{Member, MemberKind, MemberState};
use stoa_http::shutdown::Drain;
use stoa_mesh::upstream::Instance;

/// How often instances are looked at that nobody told of: what their health checks
/// find changes them in silence.
const LOOK: Duration = Duration::from_secs(1);

impl Deployments {
    /// Whether a service of components has this name.
    pub fn has_component(&self, name: &str) -> bool {
        self.parts
            .registry
            .read(|snapshot| snapshot.services.contains_key(name))
    }

    /// Follows the upstreams until the host ends.
    pub async fn announce_upstreams(self: Arc<Self>, drain: Drain) {
        let mut changes = self.parts.upstreams.changes();
        let mut looks = tokio::time::interval(LOOK);
        loop {
            // What changes from here on is seen in the next turn.
            changes.mark_unchanged();
            self.announce_instances();
            tokio::select! {
                changed = changes.changed() => if changed.is_err() {
                    return;
                },
                _ = looks.tick() => {}
                () = drain.begun() => return,
            }
        }
    }

    fn announce_instances(&self) {
        let (discovery, all) = (self.discovery(), self.parts.upstreams.all());
        for gone in discovery.services(MemberKind::Upstream) {
            if !all.contains_key(gone.as_str()) {
                discovery.set(&gone, MemberKind::Upstream, Vec::new());
            }
        }
        for (name, upstream) in all.iter() {
            let instances = upstream.members.all();
            let drained = upstream.gate.intake().is_closed();
            let members = instances.iter().map(|one| member(name, one, drained));
            discovery.set(name, MemberKind::Upstream, members.collect());
        }
    }
}

fn member(service: &str, instance: &Instance, drained: bool) -> Member {
    let state = state(instance);
    Member {
        service: service.to_owned(),
        kind: MemberKind::Upstream,
        id: instance.id.clone(),
        state: match state {
            MemberState::Up if drained && instance.in_flight() > 0 => MemberState::Draining,
            MemberState::Up if drained => MemberState::OutOfService,
            other => other,
        },
        weight: None,
        address: instance.origin.authority().map(ToString::to_string),
        metadata: instance.metadata.clone(),
    }
}

fn state(instance: &Instance) -> MemberState {
    match instance.standing() {
        Status::Starting => MemberState::Starting,
        Status::Up => MemberState::Up,
        Status::Draining => MemberState::Draining,
        Status::Down => MemberState::Down,
        Status::OutOfService => MemberState::OutOfService,
    }
}
