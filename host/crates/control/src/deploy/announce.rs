//! Tells discovery what a service's revisions are at. Everything here happens
//! in a turn of the state.

use super::Deployments;
use super::state::{Deployed, Loaded};
use stoa_api::{Member, MemberKind, MemberState};
use stoa_mesh::Guards;
use stoa_mesh::discovery::Discovery;

impl Deployments {
    /// What is registered, for who watches it.
    pub fn discovery(&self) -> &Discovery {
        &self.parts.discovery
    }

    /// A new revision warms up.
    pub(super) async fn announce_start(&self, loaded: &Loaded) {
        let _turn = self.turn().await;
        let revision = &loaded.revision;
        let member = member(&revision.service, revision.number, MemberState::Starting, 0);
        self.discovery().put(member);
    }

    /// A new revision did not become live.
    pub(super) async fn announce_failure(&self, loaded: &Loaded) {
        let _turn = self.turn().await;
        let revision = &loaded.revision;
        let (service, id) = (&revision.service, revision.number.to_string());
        self.discovery()
            .leave(service, &id, MemberState::Starting, None);
    }

    /// The revisions of a service are these now; those that drain are told until
    /// [`Deployments::announce_end`], and those that start until they are live.
    pub(super) fn announce(&self, service: &str, deployed: Option<&Deployed>, retired: &[Loaded]) {
        let guards = &self.parts.guards;
        let members = deployed.map(|deployed| deployed.members(service, guards));
        let mut members = members.unwrap_or_default();
        let (draining, starting) = (MemberState::Draining, MemberState::Starting);
        let is_passing = |member: &Member| [draining, starting].contains(&member.state);
        let before = self.discovery().of(service, MemberKind::Component);
        let retired = retired
            .iter()
            .filter(|loaded| &*loaded.revision.service == service)
            .map(|loaded| member(service, loaded.revision.number, MemberState::Draining, 0));
        for passing in before.into_iter().filter(is_passing).chain(retired) {
            match members.iter_mut().find(|known| known.id == passing.id) {
                Some(known)
                    if passing.state == draining && known.state == MemberState::OutOfService =>
                {
                    *known = passing;
                }
                Some(_) => {}
                None => members.push(passing),
            }
        }
        self.discovery()
            .set(service, MemberKind::Component, members);
        for live in deployed.into_iter().flat_map(Deployed::serving) {
            guards.correct(service, live);
        }
    }

    /// A revision has ended its calls.
    pub(super) async fn announce_end(&self, loaded: &Loaded) {
        let (service, number) = (&*loaded.revision.service, loaded.revision.number);
        let state = self.turn().await;
        let next = state
            .has_loaded(service, number)
            .then_some(MemberState::OutOfService);
        self.discovery()
            .leave(service, &number.to_string(), MemberState::Draining, next);
    }
}

// === impl Deployed ===

impl Deployed {
    /// Those that are live, and could be loaded.
    fn serving(&self) -> impl Iterator<Item = u64> {
        let live = self.record.live.iter().map(|live| live.revision);
        live.filter(|number| self.loaded.contains_key(number))
    }

    /// Those that should be live, and those that are kept for the way back.
    fn members(&self, service: &str, guards: &Guards) -> Vec<Member> {
        let is_drained = guards.intakes().is_drained(service);
        let live = self.record.live.iter().map(|live| {
            let number = live.revision;
            let state = match self.loaded.contains_key(&number) {
                true if is_drained => MemberState::OutOfService,
                true if !guards.is_cut_off(service, number) => MemberState::Up,
                _ => MemberState::Down,
            };
            member(service, live.revision, state, live.weight)
        });
        let kept = self
            .loaded
            .keys()
            .filter(|number| self.record.weight(**number) == 0);
        let kept = kept.map(|number| member(service, *number, MemberState::OutOfService, 0));
        live.chain(kept).collect()
    }
}

fn member(service: &str, revision: u64, state: MemberState, weight: u8) -> Member {
    Member {
        service: service.to_owned(),
        kind: MemberKind::Component,
        id: revision.to_string(),
        state,
        weight: Some(weight),
        address: None,
        metadata: Default::default(),
    }
}
