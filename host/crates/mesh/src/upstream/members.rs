//! The instances of one upstream: who joins, who leaves, who is evicted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Uri;
use tokio::time::Instant;

use super::eviction;
use super::instance::{Instance, Joining, Registration};
use super::watch::Watch;
use stoa_settings as settings;

/// Instances, read without a lock.
#[derive(Default)]
pub struct Members {
    current: ArcSwap<Vec<Arc<Instance>>>,
    change: Mutex<()>,
    watch: Watch,
}

/// What a sweep of the leases did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Names of those that are gone.
    pub evicted: Vec<String>,
    /// How long nobody has renewed a lease, where all are over and kept.
    pub stale: Option<Duration>,
}

impl Members {
    /// None yet, of the upstream that is watched so.
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            ..Self::default()
        }
    }

    /// All of them, in any state.
    pub fn all(&self) -> Arc<Vec<Arc<Instance>>> {
        self.current.load_full()
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<Arc<Instance>> {
        self.current
            .load()
            .iter()
            .find(|instance| instance.id == id)
            .cloned()
    }

    /// Adds an instance, or replaces the one of its name. An operator's word for
    /// it stays, and what was seen of it as long as it is at the same place: who
    /// joins again and again is cut off as anybody else.
    ///
    /// # Errors
    ///
    /// What is wrong with the registration.
    pub fn join(
        &self,
        id: &str,
        registration: &Registration,
        breaker: &settings::Breaker,
        now: Instant,
    ) -> Result<(), String> {
        self.change(|members| {
            let before = members.iter().find(|member| member.id == id);
            let before = before.map(|before| &**before);
            let joining = Joining {
                id,
                registration,
                now,
            };
            let instance = Instance::joined(joining, before, breaker, &self.watch)?;
            members.retain(|member| member.id != id);
            members.push(Arc::new(instance));
            Ok(())
        })
    }

    /// Holds the breakers of all of them as an operator says, or lets them go.
    pub(super) fn hold(&self) {
        // Who joins waits for this change, and asks the same.
        self.change(|members| {
            let forced = self.watch.forced();
            members.iter().for_each(|one| one.breaker.force(forced));
        });
    }

    /// Removes an instance that joined; whether it was there. One that was declared
    /// stays until it is declared no more.
    pub fn leave(&self, id: &str) -> bool {
        self.change(|members| {
            let before = members.len();
            members.retain(|member| member.id != id || !member.is_leased());
            members.len() != before
        })
    }

    /// Makes these the instances without a lease; those that were there already
    /// keep their state. All of them get breakers of these settings.
    pub fn declare(&self, targets: &[Uri], breaker: &settings::Breaker) {
        self.change(|members| {
            members.retain(|member| member.is_leased() || targets.contains(&member.origin));
            for member in members.iter_mut() {
                if let Some(guarded) = member.guarded_anew(breaker, &self.watch) {
                    *member = Arc::new(guarded);
                }
            }
            for target in targets {
                let known = members
                    .iter()
                    .any(|member| !member.is_leased() && member.origin == *target);
                if !known {
                    let declared = Instance::declared(target.clone(), breaker, &self.watch);
                    members.push(Arc::new(declared));
                }
            }
        });
    }

    /// Removes all of them: the upstream is no more.
    pub(super) fn dismiss(&self) {
        self.change(Vec::clear);
    }

    /// Evicts instances whose lease is over, never too many at once.
    pub fn sweep(&self, now: Instant) -> Swept {
        self.change(|members| {
            let leases: Vec<_> = members
                .iter()
                .filter(|member| member.is_leased())
                .map(|member| member.overdue(now))
                .collect();
            let verdict = eviction::verdict(&leases);
            let mut overdue: Vec<_> = members
                .iter()
                .filter_map(|member| Some((member.overdue(now)?, member.id.clone())))
                .collect();
            overdue.sort_by(|a, b| b.cmp(a));
            let evicted: Vec<_> = overdue
                .into_iter()
                .take(verdict.evict)
                .map(|(_, id)| id)
                .collect();
            members.retain(|member| !member.is_leased() || !evicted.contains(&member.id));
            Swept {
                evicted,
                stale: verdict.stale,
            }
        })
    }

    /// How long the youngest lease has been over, where all are.
    pub fn stale(&self, now: Instant) -> Option<Duration> {
        let members = self.current.load();
        let leased = members.iter().filter(|member| member.is_leased());
        let overdue: Option<Vec<_>> = leased.map(|member| member.overdue(now)).collect();
        overdue?.into_iter().min()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Arc<Instance>>) -> T) -> T {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        let mut members = before.as_ref().clone();
        let outcome = change(&mut members);
        for one in before.iter() {
            if !members.iter().any(|other| other.is_at_the_same_place(one)) {
                one.end();
            }
        }
        self.current.store(Arc::new(members));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::super::instance::Status;
    use super::*;
    use crate::breaker::State;

    fn registration(port: u16) -> Registration {
        Registration {
            url: format!("http://127.0.0.1:{port}"),
            weight: None,
            metadata: Default::default(),
            ttl: None,
            status: None,
        }
    }

    async fn of(count: u16) -> Members {
        let members = Members::default();
        for port in 1..=count {
            let id = format!("i{port:03}");
            members
                .join(
                    &id,
                    &registration(port),
                    &Default::default(),
                    Instant::now(),
                )
                .unwrap();
        }
        members
    }

    #[tokio::test(start_paused = true)]
    async fn who_renews_stays_and_who_does_not_is_evicted() {
        let members = of(10).await;
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(5)).await;
            for member in members.all().iter().filter(|one| one.id != "i001") {
                member.renew(Instant::now());
            }
            members.sweep(Instant::now());
        }
        assert_eq!(members.all().len(), 9);
        assert!(members.get("i001").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_fault_does_not_empty_an_upstream() {
        let members = of(20).await;
        tokio::time::advance(Duration::from_secs(20)).await;
        let swept = members.sweep(Instant::now());
        assert_eq!(swept.evicted, Vec::<String>::new());
        assert_eq!(swept.stale, Some(Duration::from_secs(5)));
        assert_eq!(members.all().len(), 20, "the last known good is kept");
        // One comes back: the others are judged again, a few at a time.
        members.get("i020").unwrap().renew(Instant::now());
        assert_eq!(members.sweep(Instant::now()).evicted.len(), 3);
        assert_eq!(members.sweep(Instant::now()).evicted.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operators_word_outlives_a_new_registration() {
        let members = of(1).await;
        members
            .get("i001")
            .unwrap()
            .force(Some(Status::OutOfService));
        members
            .join(
                "i001",
                &registration(9),
                &Default::default(),
                Instant::now(),
            )
            .unwrap();
        let instance = members.get("i001").unwrap();
        assert_eq!(instance.status(), Status::OutOfService);
        instance.force(None);
        assert_eq!(instance.status(), Status::Up);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_of_a_place_outlives_a_new_registration() {
        let members = of(1).await;
        let join = |port| {
            let registration = registration(port);
            let joined = members.join("i001", &registration, &Default::default(), Instant::now());
            joined.unwrap();
            members.get("i001").unwrap()
        };
        let before = members.get("i001").unwrap();
        for _ in 0..7 {
            before.breaker.fail();
        }
        before.enter();
        before.set_healthy(false);
        let again = join(1);
        assert_eq!(again.breaker.read().state, State::Open);
        assert_eq!((again.in_flight(), again.requests()), (1, 1));
        assert_eq!(again.status(), Status::Down);
        before.leave();
        assert_eq!(again.in_flight(), 0, "a request that began before it");
        let moved = join(2);
        assert_eq!(moved.breaker.read().state, State::Closed);
        assert_eq!((moved.status(), moved.requests()), (Status::Up, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_moves_or_is_dismissed_is_gone_and_who_joins_again_is_not() {
        let members = of(3).await;
        let [stays, moves, leaves] = ["i001", "i002", "i003"].map(|id| members.get(id).unwrap());
        let is_gone = |one: &Instance| futures::FutureExt::now_or_never(one.gone()).is_some();
        for (id, port) in [("i001", 1), ("i002", 9)] {
            let registration = registration(port);
            let joined = members.join(id, &registration, &Default::default(), Instant::now());
            joined.unwrap();
        }
        members.leave("i003");
        assert!(!is_gone(&stays) && is_gone(&moves) && is_gone(&leaves));
        members.dismiss();
        assert!(is_gone(&stays));
        assert!(members.all().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn new_settings_of_breakers_reach_who_is_there() {
        let members = of(1).await;
        let targets = ["http://a:1".parse::<Uri>().unwrap()];
        members.declare(&targets, &Default::default());
        for member in members.all().iter() {
            member.force(Some(Status::OutOfService));
            member.enter();
        }
        let strict = settings::Breaker {
            consecutive: 1,
            ..Default::default()
        };
        members.declare(&targets, &strict);
        assert_eq!(members.all().len(), 2);
        for member in members.all().iter() {
            assert_eq!(member.status(), Status::OutOfService);
            assert_eq!(member.in_flight(), 1);
            member.breaker.fail();
            assert_eq!(member.breaker.read().state, State::Open);
        }
        members.declare(&targets, &strict);
        let open = |member: &Arc<Instance>| member.breaker.read().state == State::Open;
        assert!(members.all().iter().all(open), "nothing has changed");
    }

    #[tokio::test(start_paused = true)]
    async fn declared_instances_have_no_lease_and_keep_their_state() {
        let members = Members::default();
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        members.declare(&[uri("http://a:1"), uri("http://b:1")], &Default::default());
        members.all()[0].set_healthy(false);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(members.sweep(Instant::now()), Swept::default());
        members.declare(&[uri("http://a:1"), uri("http://c:1")], &Default::default());
        let all = members.all();
        let known: Vec<_> = all.iter().map(|member| member.origin.to_string()).collect();
        assert_eq!(known, ["http://a:1/", "http://c:1/"]);
        assert_eq!(all[0].status(), Status::Down);
        assert!(!members.leave(&all[0].id), "it was declared, so it stays");
    }
}
