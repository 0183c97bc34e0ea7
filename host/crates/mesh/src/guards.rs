//! All guards of the host, and what operators hold them at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::breaker::{Breaker, Forced, Reading, State, Transition};
use super::discovery::Discovery;
use super::gate::{Circuit, GATEWAY, Gate};
use super::guard::Guard;
use super::intake::Intakes;
use super::record::Numbers;
use super::retry::Retries;
use super::target::{Function, Handler};
use stoa_api::MemberState;
use stoa_engine::FunctionIndex;
use stoa_service::revision::Revision;
use stoa_settings as settings;
use stoa_telemetry::metrics::{BreakerMetrics, Metrics};

/// What an operator holds the breakers of a service at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forces {
    /// Every link that has no entry of its own.
    #[serde(default)]
    pub all: Option<Forced>,
    /// Single links.
    #[serde(default)]
    pub links: BTreeMap<String, Forced>,
}

/// What stands before all revisions that are loaded: a gate for each link.
pub struct Guards {
    metrics: Arc<Metrics>,
    discovery: Arc<Discovery>,
    /// Told of each breaker that opens.
    opened: Arc<Notify>,
    intakes: Intakes,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    revisions: BTreeMap<(Arc<str>, u64), OfRevision>,
    forces: BTreeMap<String, Forces>,
}

#[derive(Default)]
struct OfRevision {
    /// Whether the gateway's breaker lets nothing through.
    cut_off: Arc<Mutex<bool>>,
    links: BTreeMap<String, Arc<Gate>>,
}

impl Guards {
    /// None yet. Who watches `discovery` is told which revisions are cut off.
    pub fn new(metrics: &Arc<Metrics>, discovery: &Arc<Discovery>) -> Arc<Self> {
        Arc::new(Self {
            metrics: metrics.clone(),
            discovery: discovery.clone(),
            opened: Arc::default(),
            intakes: Intakes::default(),
            all: Mutex::default(),
        })
    }

    /// Which services take calls.
    pub fn intakes(&self) -> &Intakes {
        &self.intakes
    }

    /// Waits until a breaker opens; those that opened since the last wait count.
    pub async fn opened(&self) {
        self.opened.notified().await;
    }

    /// The way to a function of a revision on a link.
    pub fn function(
        &self,
        revision: &Arc<Revision>,
        index: FunctionIndex,
        link: &str,
    ) -> Guard<Function> {
        let revision = revision.clone();
        Guard::new(self.gate_of(&revision, link), Function { revision, index })
    }

    /// The way to a revision's own handler on a link.
    pub fn handler(&self, revision: &Arc<Revision>, link: &str) -> Guard<Handler> {
        let revision = revision.clone();
        Guard::new(self.gate_of(&revision, link), Handler { revision })
    }

    /// What all guards of a revision on a link share. The same arguments give the same.
    pub fn gate_of(&self, revision: &Revision, link: &str) -> Arc<Gate> {
        let protection = Protection {
            breaker: &revision.settings.breaker,
            retry: &revision.settings.retry,
        };
        self.gate(&revision.service, revision.number, link, protection)
    }

    /// How a revision does, over all its links.
    pub fn numbers(&self, service: &str, revision: u64) -> Numbers {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let of = all.revisions.get(&(Arc::from(service), revision));
        let gates = of.into_iter().flat_map(|of| of.links.values());
        let breakers = gates.filter_map(|gate| gate.breaker());
        breakers.fold(Numbers::none(), |sum, breaker| {
            sum.and(&breaker.record().numbers())
        })
    }

    /// Revision, link and state of each breaker of a service.
    pub fn list(&self, service: &str) -> Vec<(u64, String, Reading)> {
        let gates: Vec<_> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.of_service(service)
                .map(|(revision, link, gate)| (revision, link.to_owned(), gate.clone()))
                .collect()
        };
        let read = |(revision, link, gate): (u64, String, Arc<Gate>)| {
            Some((revision, link, gate.breaker()?.read()))
        };
        gates.into_iter().filter_map(read).collect()
    }

    /// What an operator holds a service's breakers at.
    pub fn forces(&self, service: &str) -> Forces {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.forces.get(service).cloned().unwrap_or_default()
    }

    /// Holds the breakers of a service, those of later revisions too.
    pub fn force(&self, service: &str, forces: Forces) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, link, gate) in all.of_service(service) {
            if let Some(breaker) = gate.breaker() {
                breaker.force(forces.of(link));
            }
        }
        if forces == Forces::default() {
            all.forces.remove(service);
        } else {
            all.forces.insert(service.to_owned(), forces);
        }
    }

    /// Whether the gateway's breaker lets nothing through to a revision.
    pub fn is_cut_off(&self, service: &str, revision: u64) -> bool {
        let cut_off = self.cut_off(service, revision);
        let known = cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        *known
    }

    /// Tells discovery whether a revision is cut off that has just been announced there:
    /// its breaker may have changed meanwhile.
    pub fn correct(&self, service: &str, revision: u64) {
        let cut_off = self.cut_off(service, revision);
        let known = cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&self.discovery, service, revision, *known);
    }

    fn cut_off(&self, service: &str, revision: u64) -> Arc<Mutex<bool>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let of = all.revisions.get(&(Arc::from(service), revision));
        of.map(|of| of.cut_off.clone()).unwrap_or_default()
    }

    /// Drops the gates of a revision that is no longer loaded.
    pub fn forget(&self, service: &str, revision: u64) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.revisions.remove(&(Arc::from(service), revision));
    }

    fn gate(
        &self,
        service: &Arc<str>,
        revision: u64,
        link: &str,
        Protection { breaker, retry }: Protection<'_>,
    ) -> Arc<Gate> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let forced = all
            .forces
            .get(&**service)
            .and_then(|forces| forces.of(link));
        let of = all
            .revisions
            .entry((service.clone(), revision))
            .or_default();
        if let Some(gate) = of.links.get(link) {
            return gate.clone();
        }
        let watcher = Watcher {
            service: service.clone(),
            revision,
            link: link.to_owned(),
            cut_off: (link == GATEWAY).then(|| of.cut_off.clone()),
            discovery: self.discovery.clone(),
            opened: self.opened.clone(),
            metrics: self.metrics.breaker(service, revision, link),
        };
        let circuit = Circuit {
            breaker: Breaker::new(
                breaker.clone(),
                Box::new(move |transition| watcher.tell(transition)),
            ),
            retries: Retries::new(retry.clone(), breaker.window),
            metrics: self.metrics.retries(service),
        };
        if forced.is_some() {
            circuit.breaker.force(forced);
        }
        let gate = Arc::new(Gate::guarded(self.intakes.of(service), circuit));
        of.links.insert(link.to_owned(), gate.clone());
        gate
    }
}

/// What a revision's settings say of how calls to it are guarded.
struct Protection<'a> {
    breaker: &'a settings::Breaker,
    retry: &'a settings::Retry,
}

/// Tells the operator and the metrics of transitions.
struct Watcher {
    service: Arc<str>,
    revision: u64,
    link: String,
    /// Of the gateway's link: a caller's alone says nothing to others.
    cut_off: Option<Arc<Mutex<bool>>>,
    discovery: Arc<Discovery>,
    opened: Arc<Notify>,
    metrics: Arc<BreakerMetrics>,
}

// === impl All ===

impl All {
    fn of_service(&self, service: &str) -> impl Iterator<Item = (u64, &str, &Arc<Gate>)> {
        let from = (Arc::from(service), 0);
        let to = (Arc::from(service), u64::MAX);
        self.revisions
            .range(from..=to)
            .flat_map(|((_, number), of)| {
                let links = of.links.iter();
                links.map(|(link, gate)| (*number, link.as_str(), gate))
            })
    }
}

// === impl Forces ===

impl Forces {
    fn of(&self, link: &str) -> Option<Forced> {
        self.links.get(link).copied().or(self.all)
    }
}

/// As a person says it: `all open, those from order closed`.
impl fmt::Display for Forces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all.map(|forced| format!("all {}", forced.name()));
        let links = self.links.iter();
        let links = links.map(|(link, forced)| format!("those from {link} {}", forced.name()));
        let told: Vec<_> = all.into_iter().chain(links).collect();
        f.write_str(&told.join(", "))
    }
}

// === impl Watcher ===

impl Watcher {
    fn tell(&self, transition: &Transition) {
        self.metrics.enter(transition.to.number());
        self.note(matches!(transition.to, State::Open | State::HalfOpen));
        tracing::warn!(
            service.name = &*self.service,
            service.version = self.revision,
            link = self.link,
            from = transition.from.name(),
            to = transition.to.name(),
            "breaker {}: {}",
            transition.to.name(),
            transition.reason
        );
        if transition.to == State::Open {
            self.opened.notify_one();
        }
    }

    /// Nothing goes through from the gateway, or something does again.
    fn note(&self, is_cut_off: bool) {
        let Some(cut_off) = &self.cut_off else { return };
        let mut known = cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != is_cut_off {
            *known = is_cut_off;
            tell(&self.discovery, &self.service, self.revision, is_cut_off);
        }
    }
}

/// Tells discovery of a revision that is live. What is told is known under a lock.
fn tell(discovery: &Discovery, service: &str, revision: u64, is_cut_off: bool) {
    let (left, next) = match is_cut_off {
        true => (MemberState::Up, MemberState::Down),
        false => (MemberState::Down, MemberState::Up),
    };
    discovery.leave(service, &revision.to_string(), left, Some(next));
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use stoa_api::{Member, MemberKind};

    fn gate(guards: &Guards, revision: u64, link: &str) -> Arc<Gate> {
        let (breaker, retry) = Default::default();
        let protection = Protection {
            breaker: &breaker,
            retry: &retry,
        };
        guards.gate(&Arc::from("product"), revision, link, protection)
    }

    #[tokio::test]
    async fn a_forced_state_holds_for_its_links_and_later_revisions() {
        let guards = Guards::new(&Arc::default(), &Arc::new(Discovery::new(0)));
        let gateway = gate(&guards, 1, GATEWAY);
        let order = gate(&guards, 1, "order");
        assert!(Arc::ptr_eq(&gateway, &gate(&guards, 1, GATEWAY)));
        let mut forces = Forces {
            all: Some(Forced::Open),
            links: BTreeMap::new(),
        };
        forces.links.insert("order".to_owned(), Forced::Closed);
        guards.force("product", forces);
        assert_eq!(gateway.breaker().unwrap().read().state, State::Open);
        assert_eq!(order.breaker().unwrap().read().state, State::Closed);
        let later = gate(&guards, 2, GATEWAY);
        assert_eq!(later.breaker().unwrap().read().state, State::Open);
        guards.force("product", Forces::default());
        assert_eq!(later.breaker().unwrap().read().state, State::Closed);
        guards.forget("product", 1);
        assert_eq!(guards.list("product").len(), 1);
    }

    #[tokio::test]
    async fn who_waits_is_told_of_a_breaker_that_opens() {
        let guards = Guards::new(&Arc::default(), &Arc::new(Discovery::new(0)));
        let gate = gate(&guards, 1, "order");
        gate.breaker().unwrap().force(Some(Forced::Closed));
        assert!(guards.opened().now_or_never().is_none());
        gate.breaker().unwrap().force(Some(Forced::Open));
        assert!(guards.opened().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_revision_is_down_while_the_gateway_is_cut_off() {
        let discovery = Arc::new(Discovery::new(0));
        let guards = Guards::new(&Arc::default(), &discovery);
        let up = || Member {
            service: "product".to_owned(),
            kind: MemberKind::Component,
            id: "1".to_owned(),
            state: MemberState::Up,
            weight: Some(100),
            address: None,
            metadata: Default::default(),
        };
        let state = || discovery.of("product", MemberKind::Component)[0].state;
        discovery.put(up());
        let (gateway, order) = (gate(&guards, 1, GATEWAY), gate(&guards, 1, "order"));
        order.breaker().unwrap().force(Some(Forced::Open));
        assert_eq!(state(), MemberState::Up, "for all others");
        gateway.breaker().unwrap().force(Some(Forced::Open));
        assert_eq!(state(), MemberState::Down);
        // As after a deployment that did not know it yet.
        discovery.put(up());
        guards.correct("product", 1);
        assert_eq!(state(), MemberState::Down);
        gateway.breaker().unwrap().force(Some(Forced::Closed));
        assert_eq!(state(), MemberState::Up);
    }
}
