//! The response cache, RFC 9111: answers to GET from memory.
//!
//! Only routes with `cache` come here. An answer is shared between clients unless
//! the request shows who asks (a principal, an `Authorization` header, or a cookie
//! where the service gets to see it): then the service itself must have said that
//! anyone may have it. Many requests that miss at once make one call, and fail
//! together. An answer is stored as the service gave it; tags and 304, and what
//! later stages add, come after.
//!
//! A write to a URI, by whichever route, takes what is stored for it.
//!
//! A key holds the endpoint, which is new with each revision: no revision serves
//! what another answered.

mod fetch;
mod rule;
mod tags;

use std::sync::Arc;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::client::Client;
use super::endpoint::Endpoint;
use super::input::RequestBody;
use super::onward::Onward;
use super::respond::{self, Failure, Refusal, Response};
pub(super) use rule::Rule;
use stoa_http::cache::directives::RequestDirectives;
use stoa_http::cache::entry::{Entry, Use};
use stoa_http::cache::single_flight::SingleFlight;
use stoa_http::cache::status::{CacheStatus, ForwardReason};
use stoa_http::cache::store::{CacheStore, Item, Moment};
use stoa_http::cache::writes::{WriteTarget, Writes};
use stoa_http::cache::{Key, key};
use stoa_http::validators::tag;
use stoa_settings::spelling::laxest;
use stoa_telemetry::Metrics;
use stoa_telemetry::metrics::CacheMetrics;
pub(super) use tags::Tags;

/// What the cache says of itself in answers.
const STATUS: CacheStatus = CacheStatus("stoa");

/// The shared answers of one host.
pub(super) struct ResponseCache {
    store: CacheStore,
    flights: Arc<SingleFlight<Failure>>,
    writes: Arc<Writes>,
    tags: Arc<Tags>,
    metrics: CacheMetrics,
}

/// What a request is, to the cache.
struct Wanted {
    /// By which it is answered.
    rule: Arc<Rule>,
    /// Without the headers that answers may differ by.
    primary: Key,
    key: Key,
    /// When it came here.
    asked: Moment,
    asks: RequestDirectives,
    /// The request shows who asks.
    personal: bool,
    /// It neither waits for another's answer nor has others wait for its own.
    alone: bool,
}

/// What is stored for a request.
struct Recalled {
    entry: Option<(Arc<Entry>, Use)>,
    /// Why the service is asked, if it is.
    why: ForwardReason,
}

impl ResponseCache {
    /// A cache of at most `bytes`; with 0 nothing is stored.
    pub(super) fn new(bytes: u64, metrics: &Metrics) -> Arc<Self> {
        let metrics = metrics.cache();
        let writes = Arc::new(Writes::new(laxest));
        Arc::new(Self {
            store: CacheStore::new(bytes, metrics.bytes.clone(), writes.clone()),
            flights: Arc::default(),
            tags: Arc::default(),
            writes,
            metrics,
        })
    }

    /// Makes ready for the first answers, before a route with a cache gets requests.
    pub(super) fn expect(&self) {
        self.writes.heed();
    }

    /// By which services purge their answers.
    pub(super) fn tags(&self) -> &Arc<Tags> {
        &self.tags
    }

    /// What a request may change of what is stored.
    pub(super) fn target(&self, client: &Client, parts: &Parts) -> Option<Box<WriteTarget>> {
        self.writes.target(client, parts)
    }

    /// Removes answers of a service, or with a tag, or all. Says how many there were.
    pub(super) fn purge(&self, service: Option<&str>, tag: Option<&str>) -> u64 {
        self.store.purge(|entry| {
            service.is_none_or(|service| *entry.service == *service)
                && tag.is_none_or(|tag| entry.tags.iter().any(|own| own == tag))
        })
    }

    /// Frees the answers of endpoints that are gone.
    pub(super) fn keep(&self, live: impl Iterator<Item = u64>) {
        self.store.keep(live);
    }

    /// Answers a request from memory, or has it answered.
    pub(super) async fn answer(
        self: &Arc<Self>,
        request: Onward,
        rule: &Arc<Rule>,
    ) -> Result<Response, Refusal> {
        let exchange = &request.exchange;
        let headers = &exchange.head.headers;
        let asks = RequestDirectives::of(headers);
        let personal = exchange.principal.is_some()
            || headers.contains_key(header::AUTHORIZATION)
            || (request.endpoint.shows_headers() && rule.is_known_by_cookie(headers));
        if is_for_service(&exchange.head, &exchange.body, &asks) {
            if asks.only_if_cached {
                return Err(Refusal::NotCached);
            }
            let why = ForwardReason::Bypass;
            return self.pass(request, rule, personal, why).await;
        }
        let reads_whole = exchange.head.method == Method::GET;
        let (wanted, recalled) = self.recall(&request, rule, asks, personal);
        match recalled.entry {
            Some((entry, Use::Serve)) => {
                self.metrics.hit.inc();
                Ok(give(&entry, None))
            }
            Some((entry, Use::ServeAndRefresh)) if reads_whole => {
                self.metrics.stale.inc();
                self.refresh(wanted, request);
                Ok(give(&entry, Some(ForwardReason::Stale)))
            }
            _ if wanted.asks.only_if_cached => Err(Refusal::NotCached),
            entry => {
                let fallback = entry.filter(|(_, good_for)| *good_for != Use::Nothing);
                let fallback = fallback.map(|(entry, _)| entry);
                if reads_whole {
                    return self.fetch(wanted, request, recalled.why, fallback).await;
                }
                // Only an answer to GET has all that is to be stored.
                let why = ForwardReason::Method;
                let passed = self.pass(request, rule, personal, why).await;
                self.covered(passed, fallback)
            }
        }
    }

    /// What is stored for a request, if it may have it.
    fn recall(
        &self,
        request: &Onward,
        rule: &Arc<Rule>,
        asks: RequestDirectives,
        personal: bool,
    ) -> (Wanted, Recalled) {
        let (endpoint, parts) = (&request.endpoint, &request.exchange.head);
        let client = &request.exchange.client;
        let primary = key::primary(endpoint.id, client, parts, &rule.defaults.vary);
        let slot = self.writes.slot(client, parts);
        let asked = self.store.moment(slot, rule.tags.purges());
        let (key, item) = self.look(primary, &parts.headers, &asked);
        let now = Instant::now();
        // Who wants a new answer does not take one that was asked for before.
        let mut alone = personal || asks.no_cache;
        let (entry, why) = match item {
            Some(Item::Answer(entry)) if entry.anyone || !personal => {
                let good_for = entry.good_for(now, &asks);
                let why = if asks.no_cache {
                    ForwardReason::Request
                } else {
                    ForwardReason::Stale
                };
                (Some((entry, good_for)), why)
            }
            Some(Item::Vary(_)) => (None, ForwardReason::VaryMiss),
            Some(Item::Own(until)) => {
                alone |= until > now;
                (None, ForwardReason::UriMiss)
            }
            _ => (None, ForwardReason::UriMiss),
        };
        let wanted = Wanted {
            rule: rule.clone(),
            primary,
            key,
            asked,
            asks,
            personal,
            alone,
        };
        (wanted, Recalled { entry, why })
    }

    /// What stands at a request's key, by the headers that answers differ by.
    fn look(&self, primary: Key, headers: &HeaderMap, now: &Moment) -> (Key, Option<Item>) {
        match self.store.get(&primary, now) {
            Some(Item::Vary(names)) => {
                let key = key::secondary(&primary, headers, &names);
                // Without an answer for these headers it is still known that they matter.
                (key, self.store.get(&key, now).or(Some(Item::Vary(names))))
            }
            item => (primary, item),
        }
    }

    /// Has a request answered that the cache is not for.
    async fn pass(
        &self,
        mut request: Onward,
        rule: &Arc<Rule>,
        personal: bool,
        why: ForwardReason,
    ) -> Result<Response, Refusal> {
        self.metrics.bypass.inc();
        let mut response = request.serve().await?;
        dress(&mut response, &request.endpoint, rule, personal);
        STATUS.forwarded(response.headers_mut(), why, false);
        Ok(response)
    }
}

fn give(entry: &Entry, why: Option<ForwardReason>) -> Response {
    let mut response = respond::stored(entry.status, entry.headers.clone(), entry.body.clone());
    STATUS.served(response.headers_mut(), entry, why);
    response
}

/// Whether a request is about what the service has now, or not to be stored.
fn is_for_service(parts: &Parts, body: &RequestBody, asks: &RequestDirectives) -> bool {
    const CONDITIONS: [HeaderName; 3] =
        [header::RANGE, header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
    let about_now = CONDITIONS
        .iter()
        .any(|name| parts.headers.contains_key(name));
    about_now || asks.no_store || !body.is_end_stream()
}

/// Gives an answer its tag, and the headers that its route says.
fn dress(response: &mut Response, endpoint: &Endpoint, rule: &Rule, personal: bool) {
    if !endpoint.shows_headers() && response.status().is_success() {
        tag(response);
    }
    let success = response.status().is_success();
    rule.write(success, personal, response.headers_mut());
}
