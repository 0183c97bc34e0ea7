//! Active health checks: an instance that fails several in a row gets no traffic
//! until it answers several in a row.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};

use super::Upstream;
use super::body::lend;
use super::instance::Instance;
use stoa_settings::upstream::HealthCheck;

/// What the last checks of an instance said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    healthy: bool,
    /// Checks in a row that say the contrary.
    against: u32,
}

impl Streak {
    /// Well until checks say otherwise: a host that starts must serve at once.
    pub fn new() -> Self {
        Self {
            healthy: true,
            against: 0,
        }
    }

    /// Takes one check; whether the instance is well now.
    pub fn observe(&mut self, well: bool, check: &HealthCheck) -> bool {
        if well == self.healthy {
            self.against = 0;
            return self.healthy;
        }
        self.against += 1;
        let enough = if well { check.rise } else { check.fall };
        if self.against >= enough {
            (self.healthy, self.against) = (well, 0);
        }
        self.healthy
    }
}

impl Default for Streak {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks the instances of an upstream until it is replaced or gone. What earlier
/// checks found holds no longer where there are none now.
pub(super) fn begin(upstream: &Arc<Upstream>) {
    let Some(check) = upstream.settings.health.clone() else {
        let members = upstream.members.all();
        members.iter().for_each(|one| one.set_healthy(true));
        return;
    };
    let upstream: Weak<Upstream> = Arc::downgrade(upstream);
    tokio::spawn(async move {
        let mut streaks: HashMap<String, Streak> = HashMap::new();
        let mut times = tokio::time::interval(check.every);
        times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            times.tick().await;
            let Some(upstream) = upstream.upgrade() else {
                return;
            };
            round(&upstream, &check, &mut streaks).await;
        }
    });
}

async fn round(upstream: &Upstream, check: &HealthCheck, streaks: &mut HashMap<String, Streak>) {
    let members = upstream.members.all();
    let asked = members.iter().map(|one| ask(upstream, one, check));
    let found = futures::future::join_all(asked).await;
    streaks.retain(|id, _| members.iter().any(|one| one.id == *id));
    for (instance, well) in members.iter().zip(found) {
        let streak = streaks.entry(instance.id.clone()).or_default();
        let before = streak.healthy;
        let healthy = streak.observe(well, check);
        instance.set_healthy(healthy);
        if healthy != before {
            tracing::warn!(
                upstream = &*upstream.name,
                instance = instance.id,
                healthy,
                "health checks changed their mind"
            );
        }
    }
}

async fn ask(upstream: &Upstream, instance: &Instance, check: &HealthCheck) -> bool {
    let mut parts = instance.origin.clone().into_parts();
    let Ok(path) = check.path.parse() else {
        return false;
    };
    parts.path_and_query = Some(path);
    let Ok(uri) = Uri::from_parts(parts) else {
        return false;
    };
    let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let (_, body) = lend(empty);
    let mut request = Request::new(body);
    *request.uri_mut() = uri;
    let answered = tokio::time::timeout(check.timeout, upstream.client.request(request)).await;
    matches!(answered, Ok(Ok(response)) if response.status().is_success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_several_checks_to_change_the_mind() {
        let check = HealthCheck {
            rise: 2,
            fall: 3,
            ..HealthCheck::default()
        };
        let mut streak = Streak::new();
        let mut after = |checks: &[bool]| {
            let found = checks.iter().map(|well| streak.observe(*well, &check));
            found.collect::<Vec<_>>()
        };
        assert_eq!(after(&[false, false, true]), [true; 3], "two are no streak");
        assert_eq!(after(&[false, false, false]), [true, true, false]);
        assert_eq!(
            after(&[true, false, true, true]),
            [false, false, false, true]
        );
    }
}
