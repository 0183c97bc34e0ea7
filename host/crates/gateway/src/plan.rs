//! The way of a route's requests: the stages that its settings ask for, in one order.
//!
//! A plan is compiled when its revision is loaded. What is known by then is not decided
//! for a request: a route without limits, cache or policy has no stage for them.

use std::sync::Arc;

use super::cache::ResponseCache;
use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::idempotency::Idempotency;
use super::identity::{Identity, LastToken};
use super::rate::Rates;
use super::respond::{Refusal, Response};
use super::serve::serve;
use super::stages::{
    Authenticate, Cache, Compress, Condition, Cors, IdempotencyKey, Intake, Invalidate, RateLimit,
    Trailers, WebSocket,
};
use stoa_service::revision::Revision;
use stoa_settings::Route;
use stoa_settings::config::{AccessLog, Compression};

/// A step of the way. Its request side lets a request go on, answers or refuses it; its
/// response side changes what comes back. Most have one of the two.
enum Stage {
    Trailers(Trailers),
    Compress(Compress),
    Cors(Cors),
    Intake(Intake),
    Authenticate(Authenticate),
    RateLimit(RateLimit),
    WebSocket(WebSocket),
    Invalidate(Invalidate),
    IdempotencyKey(IdempotencyKey),
    Condition(Condition),
    Cache(Cache),
}

/// A route with the way of its requests.
pub struct Plan {
    /// Where the way leads.
    pub(super) endpoint: Arc<Endpoint>,
    stages: Box<[Stage]>,
}

/// What the stages of all routes share.
pub(super) struct Shared {
    pub(super) identity: Arc<Identity>,
    pub(super) rates: Rates,
    pub(super) cache: Arc<ResponseCache>,
    pub(super) idempotency: Arc<Idempotency>,
    pub(super) compression: Compression,
    pub(super) access_log: AccessLog,
}

/// The way back of answers that no route gives.
pub(super) struct Unrouted(Option<Compress>);

/// Everything that is wrong with a route's stages.
#[derive(Default)]
struct Faults(Vec<String>);

/// What met a request on its way.
pub(super) struct Met {
    /// Stages that let it go on, and so get to see its response.
    pub(super) passed: usize,
    /// What it met after them.
    pub(super) answer: Result<Response, Refusal>,
}

// === impl Plan ===

impl Plan {
    /// All stages there are, in the order in which a request passes them; its response
    /// passes them backwards. The service comes after the last one.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings of the route's stages.
    pub(super) fn compile(endpoint: Endpoint, shared: &Shared) -> Result<Self, Vec<String>> {
        let to = &endpoint;
        let mut faults = Faults::default();
        let cors = faults.gather(Cors::compile(to));
        let limiter = faults.gather(shared.rates.limiter(to));
        let cache = Cache::compile(to, &shared.cache);
        let stages = [
            Trailers::compile(to).map(Stage::Trailers),
            Compress::compile(to, shared.compression).map(Stage::Compress),
            cors.clone().map(Stage::Cors),
            Some(Stage::Intake(Intake)),
            Some(Stage::Authenticate(Authenticate::compile(
                shared.identity.clone(),
                limiter.clone(),
            ))),
            limiter.map(RateLimit::new).map(Stage::RateLimit),
            Some(Stage::WebSocket(WebSocket::new(cors, shared.access_log))),
            Invalidate::compile(to, &shared.cache).map(Stage::Invalidate),
            IdempotencyKey::compile(to, &shared.idempotency).map(Stage::IdempotencyKey),
            Condition::compile(to).map(Stage::Condition),
            cache.map(Stage::Cache),
        ];
        faults.check()?;
        Ok(Self {
            endpoint: Arc::new(endpoint),
            stages: stages.into_iter().flatten().collect(),
        })
    }

    /// The route as it was deployed.
    pub fn route(&self) -> &Route {
        &self.endpoint.route
    }

    /// The revision that serves it, unless an upstream does.
    pub fn revision(&self) -> Option<&Arc<Revision>> {
        self.endpoint.revision()
    }

    /// The number of the revision, or of the upstream's declaration.
    pub(super) fn number(&self) -> u64 {
        self.endpoint.number()
    }

    /// Whether preflights of its requests are for it.
    pub(super) fn answers_preflights(&self) -> bool {
        let answers = |stage: &Stage| matches!(stage, Stage::Cors(_));
        self.stages.iter().any(answers)
    }

    /// The way of a request to its service.
    pub(super) async fn request(&self, exchange: &mut Exchange, last: &LastToken) -> Met {
        let to = &self.endpoint;
        for (passed, stage) in self.stages.iter().enumerate() {
            let met = match stage {
                Stage::Trailers(_) => Ok(None),
                Stage::Compress(stage) => stage.request(exchange),
                Stage::Cors(stage) => stage.request(exchange),
                Stage::Intake(stage) => stage.request(to),
                Stage::Authenticate(stage) => stage.request(exchange, to, last).await,
                Stage::RateLimit(stage) => stage.request(exchange),
                Stage::WebSocket(stage) => stage.request(exchange, to).await,
                Stage::Invalidate(stage) => stage.request(exchange),
                Stage::IdempotencyKey(stage) => stage.request(exchange, to).await,
                Stage::Condition(stage) => stage.request(exchange),
                Stage::Cache(stage) => stage.request(exchange, to).await,
            };
            if let Some(answer) = met.transpose() {
                return Met { passed, answer };
            }
        }
        Met {
            passed: self.stages.len(),
            answer: serve(exchange, to).await,
        }
    }

    /// The way of its response back.
    pub(super) fn response(&self, exchange: &Exchange, passed: usize, response: &mut Response) {
        for stage in self.stages[..passed].iter().rev() {
            match stage {
                Stage::Trailers(stage) => stage.response(exchange, response),
                Stage::Compress(stage) => stage.response(exchange, response),
                Stage::Cors(stage) => stage.response(exchange, response),
                Stage::Condition(stage) => stage.response(exchange, response),
                Stage::Intake(_)
                | Stage::Authenticate(_)
                | Stage::RateLimit(_)
                | Stage::WebSocket(_)
                | Stage::Invalidate(_)
                | Stage::IdempotencyKey(_)
                | Stage::Cache(_) => {}
            }
        }
    }
}

// === impl Met ===

impl Met {
    /// A request that goes no way at all.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self {
            passed: 0,
            answer: Err(refusal),
        }
    }
}

// === impl Unrouted ===

impl Unrouted {
    pub(super) fn new(compression: Compression) -> Self {
        Self(Compress::of_the_host(compression))
    }

    pub(super) fn response(&self, exchange: &Exchange, response: &mut Response) {
        if let Some(stage) = &self.0 {
            stage.alone(exchange, response);
        }
    }
}

// === impl Faults ===

impl Faults {
    fn gather<T>(&mut self, compiled: Result<Option<T>, Vec<String>>) -> Option<T> {
        compiled.unwrap_or_else(|faults| {
            self.0.extend(faults);
            None
        })
    }

    fn check(self) -> Result<(), Vec<String>> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{GREETING, hosted};

    impl Stage {
        fn name(&self) -> &'static str {
            match self {
                Self::Trailers(_) => "trailers",
                Self::Compress(_) => "compress",
                Self::Cors(_) => "cors",
                Self::Intake(_) => "intake",
                Self::Authenticate(_) => "authenticate",
                Self::RateLimit(_) => "rate limit",
                Self::WebSocket(_) => "websocket",
                Self::Invalidate(_) => "invalidate",
                Self::IdempotencyKey(_) => "idempotency key",
                Self::Condition(_) => "condition",
                Self::Cache(_) => "cache",
            }
        }
    }

    /// The stages of a route to a function that says this, too.
    async fn stages(says: Value) -> Vec<&'static str> {
        let mut route = json!({
            "path": "/hello",
            "target": { "call": "test:hello/greeting.greet" },
            "access": "public",
        });
        let says = says.as_object().unwrap().clone();
        route.as_object_mut().unwrap().extend(says);
        let component = wat::parse_str(GREETING).unwrap();
        let hosted = hosted(&component, &[route]).await;
        let table = hosted.gateway.table();
        let (_, plan) = &table.routes()[0];
        plan.stages.iter().map(Stage::name).collect()
    }

    #[tokio::test]
    async fn a_plain_route_has_no_stage_that_its_settings_do_not_ask_for() {
        let plain = stages(json!({ "method": "GET", "compression": "off" })).await;
        let safety = ["intake", "authenticate", "websocket"];
        assert_eq!(plain, [&safety[..], &["condition"]].concat());
        let writes = stages(json!({ "method": "POST", "compression": "off" })).await;
        assert_eq!(writes, [&safety[..], &["invalidate"]].concat());
    }

    #[tokio::test]
    async fn a_route_has_what_it_asks_for_in_the_one_order() {
        let all = stages(json!({
            "cors": { "own": { "origins": ["*"] } },
            "rate": { "own": { "limit": 1, "per": "1s" } },
            "idempotency": { "key": "optional" },
            "cache": { "max_age": "1s" },
        }));
        let order = [
            "compress",
            "cors",
            "intake",
            "authenticate",
            "rate limit",
            "websocket",
            "invalidate",
            "idempotency key",
            "condition",
            "cache",
        ];
        assert_eq!(all.await, order);
    }
}
