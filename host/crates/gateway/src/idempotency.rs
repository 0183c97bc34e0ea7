//! Idempotency keys: a request that is sent again gets the first answer.
//!
//! The first request with a key is served; its answer is on disk before the client
//! gets it, and is replayed until its window ends. Its call goes on when the
//! client leaves, since that is when a client asks again, unless it has not begun or
//! its route says otherwise. What was answered is kept in any case.
//!
//! What is kept is what may have happened, as Stripe does it: every answer of the
//! service, and a trap or a missed deadline. Not kept is what says "not now" (429
//! and 503, whoever says it) and every refusal of the host: the call did not run.
//!
//! A request that was under way when the host died may run again: the component
//! sees the same key in its context, and is the only one who can know.

mod claims;
mod key;
mod record;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use futures::FutureExt as _;
use http::Method;
use http::request::Parts;
use tokio::sync::oneshot;

use super::input::{RequestBody, read_whole};
use super::onward::Onward;
use super::respond::{self, KeyFault as Fault, Refusal, Response, Taken};
use claims::{Claim, Claims};
use record::Record;
use stoa_engine::Fault as EngineFault;
use stoa_http::shutdown::Holds;
use stoa_mesh::CallError;
use stoa_settings::IdempotencyKey;
use stoa_store::{Expiring, KeyDigest, StoreError};
use stoa_telemetry::{Metrics, Seldom};

/// Longest body that is kept, in bytes. Answers to what moves stock or money are
/// far shorter; a longer one is sent and never replayed, nor is its call run twice.
const LONGEST_BODY: usize = 256 << 10;

/// The disk fails each request with a key at once.
static UNREADABLE: Seldom = Seldom::new();
static LOST: Seldom = Seldom::new();

/// Answers that are removed at once when their time is over: a write for the disk
/// that others don't wait long for.
const SWEPT_AT_ONCE: usize = 1000;

/// The kept answers of one host.
pub(super) struct Idempotency {
    answers: Arc<dyn Expiring>,
    claims: Arc<Claims>,
    metrics: Arc<Metrics>,
    holds: Holds,
    /// For answers, in bytes.
    room: u64,
}

/// What a key leads to.
enum Found {
    First(Claim),
    Answer(Record),
}

impl Idempotency {
    pub(super) fn new(
        answers: Arc<dyn Expiring>,
        metrics: Arc<Metrics>,
        holds: Holds,
        room: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers,
            claims: Arc::default(),
            metrics,
            holds,
            room,
        })
    }

    /// Forgets all answers of a service.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn purge(&self, service: &str) -> Result<(), StoreError> {
        self.answers.purge(key::owner(service)).await
    }

    /// The key that a request is to be answered by; `None` if it is like any other.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Malformed`].
    pub(super) fn key(asks: IdempotencyKey, parts: &Parts) -> Result<Option<String>, Refusal> {
        // A route for any method has safe ones too.
        if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(None);
        }
        match (key::read(&parts.headers), asks) {
            (Ok(None), IdempotencyKey::Required) => Err(Refusal::Idempotency(Fault::Missing)),
            (read, _) => read.map_err(Refusal::Idempotency),
        }
    }

    /// Serves the first request with a key, and replays its answer to later ones.
    pub(super) async fn answer(
        self: &Arc<Self>,
        key: String,
        mut request: Onward,
    ) -> Result<Response, Refusal> {
        let Onward { exchange, endpoint } = &mut request;
        let read = read_whole(
            exchange.take_body(),
            endpoint.body_limit(),
            exchange.deadline,
        );
        let body = read.await.map_err(Refusal::Body)?;
        let asker = key::Asker {
            principal: exchange.principal.as_deref(),
            shown: endpoint.shows_headers().then_some(&exchange.head.headers),
        };
        let (service, route) = (endpoint.service(), &endpoint.route);
        let place = key::place(asker, service, route, &key);
        let fingerprint = key::fingerprint(&exchange.head, &body, &route.bound_headers());
        exchange.idempotency_key = Some(key.into());
        exchange.body = RequestBody::Whole(body);
        match self.find(place, fingerprint).await? {
            Found::Answer(record) => {
                self.metrics.idempotency("replayed").inc();
                let headers = record.headers();
                Ok(respond::replay(record.head.status, headers, record.body))
            }
            Found::First(claim) => self.first(claim, request).await,
        }
    }

    /// Removes answers whose window is over.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn sweep(&self) -> Result<(), StoreError> {
        let now = SystemTime::now();
        while self.answers.sweep(now, SWEPT_AT_ONCE).await? == SWEPT_AT_ONCE {
            tokio::task::yield_now().await;
        }
        let mut evicted = 0;
        loop {
            match self.answers.bound(self.room, SWEPT_AT_ONCE).await? {
                0 => break,
                removed => evicted += removed,
            }
            tokio::task::yield_now().await;
        }
        self.metrics.disk("answers", self.answers.size());
        if evicted > 0 {
            self.metrics.idempotency("evicted").inc_by(evicted as u64);
            tracing::warn!(
                evicted,
                "answers kept for idempotency keys take more than keep.answers: those whose \
                 windows end first are not replayed any more"
            );
        }
        Ok(())
    }

    /// An answer is in the store a moment before it is on disk. Its claim is given
    /// back after that, so the claim is asked again once the answer was seen.
    async fn find(&self, place: KeyDigest, fingerprint: KeyDigest) -> Result<Found, Refusal> {
        let claims = &self.claims;
        claims
            .check(&place, &fingerprint)
            .map_err(Refusal::Idempotency)?;
        if let Some(record) = self.read(&place).await? {
            claims
                .check(&place, &fingerprint)
                .map_err(Refusal::Idempotency)?;
            return checked(record, &fingerprint).map(Found::Answer);
        }
        let claim = claims
            .claim(place, fingerprint)
            .map_err(Refusal::Idempotency)?;
        // Another may have come to its end between the look and the claim.
        match self.read(&place).await? {
            Some(record) => checked(record, &fingerprint).map(Found::Answer),
            None => Ok(Found::First(claim)),
        }
    }

    async fn read(&self, place: &KeyDigest) -> Result<Option<Record>, Refusal> {
        let kept = self.answers.get(place, SystemTime::now()).await;
        // Without knowing whether the call ran, it must not run.
        let kept = kept.and_then(|kept| {
            kept.map(|bytes| Record::decode(bytes).ok_or_else(damaged))
                .transpose()
        });
        kept.map_err(|fault| {
            if UNREADABLE.is_due() {
                tracing::error!(%fault, "an answer kept for an idempotency key can't be read");
            }
            Refusal::Store
        })
    }

    async fn first(self: &Arc<Self>, claim: Claim, request: Onward) -> Result<Response, Refusal> {
        let this = self.clone();
        let origin = request.exchange.origin.clone();
        let window = (request.endpoint.route.idempotency.as_ref())
            .map_or_else(Default::default, |asks| asks.window);
        let deadline = request.exchange.deadline;
        // Without its client, nothing else keeps the host from ending.
        let hold = self.holds.hold();
        let after = move |answered| async move {
            let answered = taken_in(answered, deadline).await;
            let record = match &answered {
                Ok(response) if respond::says_not_now(response) => None,
                Ok(response) => Some(Record::of(response, claim.fingerprint)),
                Err(Refusal::Call(error)) if error.may_have_run() => {
                    let response = respond::call_error(error, &origin);
                    Some(Record::of(&response, claim.fingerprint))
                }
                Err(_) => None,
            };
            if let Some(record) = record {
                this.keep(&claim.place, &record, SystemTime::now() + window)
                    .await;
            }
            drop((claim, hold));
            answered
        };
        let (here, gone) = oneshot::channel::<()>();
        let left = gone.map(|_| ());
        let served = request.serve_detached(left, after).await;
        drop(here);
        served
    }

    async fn keep(&self, place: &KeyDigest, record: &Record, until: SystemTime) {
        match self.answers.put(place, &record.encode(), until).await {
            Ok(()) => self
                .metrics
                .idempotency(if record.head.cut { "cut" } else { "kept" })
                .inc(),
            // The call has run: its answer is better than none.
            Err(fault) => {
                if LOST.is_due() {
                    tracing::error!(%fault, "an answer could not be kept for its idempotency key");
                }
                self.metrics.idempotency("lost").inc()
            }
        };
    }
}

fn checked(record: Record, fingerprint: &KeyDigest) -> Result<Record, Refusal> {
    let fault = match &record.head {
        head if head.fingerprint != *fingerprint => Fault::Mismatch,
        head if head.cut => Fault::Cut,
        _ => return Ok(record),
    };
    Err(Refusal::Idempotency(fault))
}

/// Takes the body in, as far as it can be kept.
async fn taken_in(
    answered: Result<Response, Refusal>,
    deadline: Instant,
) -> Result<Response, Refusal> {
    let mut response = answered?;
    match response.body_mut().take_in(LONGEST_BODY, deadline).await {
        Ok(Taken::Whole | Taken::InPart) => Ok(response),
        Ok(Taken::Broken) => Err(Refusal::Call(CallError::Fault(EngineFault::NoResponse))),
        Err(_) => Err(Refusal::Call(CallError::Deadline)),
    }
}

fn damaged() -> StoreError {
    StoreError::Corrupt("an answer kept for an idempotency key is cut off".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use stoa_engine::http::ResponseBody;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_until_the_deadline() {
        let first = stream::iter([Ok::<_, std::io::Error>(Frame::data("data".into()))]);
        let body = ResponseBody::streaming(StreamBody::new(first.chain(stream::pending())));
        let answered = Ok(respond::pass(http::Response::new(body)));
        let taken = taken_in(answered, Instant::now() + Duration::from_secs(60)).await;
        assert!(matches!(taken, Err(Refusal::Call(CallError::Deadline))));
    }
}
