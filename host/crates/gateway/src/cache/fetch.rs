//! Having a request answered by its service: once for all who ask, and for later.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::request::Parts;
use tokio::time::Instant;

use super::{ResponseCache, STATUS, Wanted, dress, give};
use crate::endpoint::Endpoint;
use crate::onward::Onward;
use crate::respond::{Failure, Refusal, Response, Taken};
use stoa_call::deadline::within;
use stoa_engine::Fault;
use stoa_http::cache::entry::Entry;
use stoa_http::cache::single_flight::{self, Turn, landed};
use stoa_http::cache::status::ForwardReason;
use stoa_http::cache::store::Item;
use stoa_http::cache::{Key, key, storable};
use stoa_mesh::CallError;
use stoa_settings::OnDisconnect;

type Lead = single_flight::Lead<Failure>;
type Landing = single_flight::Landing<Failure>;

/// Longest body that is stored, in bytes: a longer one would push out a thousand
/// usual ones, and is better kept by what it is downloaded from.
const LONGEST_BODY: usize = 1 << 20;

/// How long requests for an answer that can't be shared don't wait for each other.
/// Short: the next one may be another.
const OWN: Duration = Duration::from_secs(10);

/// What a service was asked.
struct Asked {
    endpoint: Arc<Endpoint>,
    /// The request's head, as its client sent it.
    parts: Parts,
    wanted: Wanted,
    deadline: std::time::Instant,
}

impl ResponseCache {
    /// Asks the service, or waits for the one who does already; if it fails, the
    /// answer to fall back on has its turn.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        wanted: Wanted,
        request: Onward,
        why: ForwardReason,
        fallback: Option<Arc<Entry>>,
    ) -> Result<Response, Refusal> {
        let fetched = if wanted.alone {
            self.lead(Lead::alone(), wanted, request, why).await
        } else {
            match self.flights.join(wanted.key, wanted.asked) {
                Turn::Lead(lead) => self.lead(lead, wanted, request, why).await,
                Turn::Follow(landing) => {
                    // It has no call of its own that could go on.
                    if let Some(tie) = &request.exchange.tie {
                        tie.wait(OnDisconnect::Cancel);
                    }
                    let deadline = request.exchange.deadline;
                    match within(deadline, landed(landing)).await {
                        Err(_) => Err(Refusal::Call(CallError::Deadline)),
                        Ok(Landing::Shared(entry))
                            if is_for(&entry, &wanted, &request.exchange.head) =>
                        {
                            self.metrics.coalesced.inc();
                            Ok(give(&entry, Some(ForwardReason::Collapsed)))
                        }
                        // Asking again would send all who wait to a service that
                        // fails, at the same moment.
                        Ok(Landing::Failed(failure)) => {
                            self.metrics.coalesced.inc();
                            Err(Refusal::Awaited(failure))
                        }
                        Ok(_) => self.lead(Lead::alone(), wanted, request, why).await,
                    }
                }
            }
        };
        self.covered(fetched, fallback)
    }

    /// What was fetched, or the answer to fall back on.
    pub(super) fn covered(
        &self,
        fetched: Result<Response, Refusal>,
        fallback: Option<Arc<Entry>>,
    ) -> Result<Response, Refusal> {
        match fallback {
            Some(entry) if has_failed(&fetched) => {
                self.metrics.stale.inc();
                Ok(give(&entry, Some(ForwardReason::Stale)))
            }
            _ => fetched,
        }
    }

    /// Asks the service, and stores what may be stored, as long as anybody waits.
    async fn lead(
        self: &Arc<Self>,
        Lead { flight, aboard }: Lead,
        wanted: Wanted,
        mut request: Onward,
        why: ForwardReason,
    ) -> Result<Response, Refusal> {
        self.metrics.miss.inc();
        let this = self.clone();
        let head = &mut request.exchange.head;
        let asked = Asked {
            endpoint: request.endpoint.clone(),
            parts: head.clone(),
            wanted,
            deadline: request.exchange.deadline,
        };
        // The whole answer is wanted, not the news that this client has it.
        head.headers.remove(header::IF_NONE_MATCH);
        head.headers.remove(header::IF_MODIFIED_SINCE);
        let left = flight.left();
        let after = move |answered| async move {
            let settling = this.settle(&asked, answered);
            let settled = tokio::select! {
                biased;
                settled = settling => settled,
                () = flight.left() => return Err(Refusal::Call(CallError::Deadline)),
            };
            let (landing, response) = landing(settled);
            let stored = matches!(landing, Landing::Shared(_));
            flight.land(landing);
            response.map(|mut response| {
                STATUS.forwarded(response.headers_mut(), why, stored);
                response
            })
        };
        let served = request.serve_detached(left, after).await;
        drop(aboard);
        served
    }

    /// Stores an answer if it may be, and makes it ready for its client.
    async fn settle(
        &self,
        asked: &Asked,
        answered: Result<Response, Refusal>,
    ) -> Result<(Option<Arc<Entry>>, Response), Refusal> {
        let mut response = answered?;
        let (endpoint, parts, wanted) = (&*asked.endpoint, &asked.parts, &asked.wanted);
        let rule = &wanted.rule;
        let terms = storable::terms(parts, &response, &rule.defaults);
        let terms = terms.filter(|terms| terms.anyone || !wanted.personal);
        let whole = match terms {
            None => false,
            Some(_) => match response
                .body_mut()
                .take_in(LONGEST_BODY, asked.deadline)
                .await
            {
                Ok(Taken::Whole) => true,
                // One that takes longer than the call may is streamed.
                Ok(Taken::InPart) | Err(_) => false,
                Ok(Taken::Broken) => {
                    return Err(Refusal::Call(CallError::Fault(Fault::NoResponse)));
                }
            },
        };
        dress(&mut response, endpoint, rule, wanted.personal);
        let body = response.body().as_whole().cloned();
        let Some((terms, body)) = terms.zip(body).filter(|_| whole) else {
            // A failure leaves what was stored before, for as long as it covers for it.
            if !wanted.personal && !response.status().is_server_error() {
                let own = Item::Own(Instant::now() + OWN);
                self.store.put(wanted.key, endpoint.id, own, wanted.asked);
            }
            return Ok((None, response));
        };
        let key = final_key(wanted.primary, parts, &terms.vary);
        let mut headers = response.headers().clone();
        headers.remove(header::AGE);
        let entry = Arc::new(Entry {
            status: response.status(),
            headers,
            // Of its own: it may be part of a buffer that is much larger.
            body: Bytes::copy_from_slice(&body),
            service: endpoint.service().clone(),
            tags: rule.tags.names.clone(),
            anyone: terms.anyone,
            key,
            vary: terms.vary,
            lives: terms.lives,
            stored: Instant::now(),
        });
        if key != wanted.primary {
            let names = Item::Vary(entry.vary.as_slice().into());
            self.store
                .put(wanted.primary, endpoint.id, names, wanted.asked);
        }
        let item = Item::Answer(entry.clone());
        self.store.put(key, endpoint.id, item, wanted.asked);
        Ok((Some(entry), response))
    }

    /// Fetches a new answer in the background, unless somebody does already.
    pub(super) fn refresh(self: &Arc<Self>, wanted: Wanted, mut request: Onward) {
        let Turn::Lead(lead) = self.flights.join(wanted.key, wanted.asked) else {
            return;
        };
        // Its client has an answer, and waits for none.
        request.exchange.tie = None;
        let this = self.clone();
        tokio::spawn(async move {
            let service = request.endpoint.service().clone();
            let led = this.lead(lead, wanted, request, ForwardReason::Stale).await;
            if let Err(refusal) = led {
                tracing::debug!(
                    service = &*service,
                    "an answer could not be renewed: {refusal:?}"
                );
            }
        });
    }
}

/// Where a request's answer stands that depends on these headers.
fn final_key(primary: Key, parts: &Parts, vary: &[HeaderName]) -> Key {
    if vary.is_empty() {
        primary
    } else {
        key::secondary(&primary, &parts.headers, vary)
    }
}

/// Whether an answer to another's request is one to this: only the answer tells by
/// which headers it would differ.
fn is_for(entry: &Entry, wanted: &Wanted, parts: &Parts) -> bool {
    final_key(wanted.primary, parts, &entry.vary) == entry.key
}

/// What an answer is to those who wait for it, and to its own client.
fn landing(
    settled: Result<(Option<Arc<Entry>>, Response), Refusal>,
) -> (Landing, Result<Response, Refusal>) {
    match settled {
        Ok((Some(entry), response)) => (Landing::Shared(entry), Ok(response)),
        // Its body may be for its own client alone.
        Ok((None, response)) if response.status().is_server_error() => {
            let failure = Failure::Answered(response.status());
            (Landing::Failed(failure), Ok(response))
        }
        Ok((None, response)) => (Landing::Own, Ok(response)),
        Err(refusal) => match Failure::of(refusal) {
            Ok(failure) => {
                let refusal = Refusal::Awaited(failure.clone());
                (Landing::Failed(failure), Err(refusal))
            }
            // The service was not asked.
            Err(refusal) => (Landing::Own, Err(refusal)),
        },
    }
}

/// Whether the service could not answer.
fn has_failed(fetched: &Result<Response, Refusal>) -> bool {
    match fetched {
        Ok(response) => response.status().is_server_error(),
        Err(refusal) => matches!(refusal, Refusal::Call(_) | Refusal::Awaited(_)),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::respond::GatewayBody;
    use stoa_mesh::{UploadFault, UpstreamFault};

    fn landed_as(settled: Result<Response, Refusal>) -> Landing {
        landing(settled.map(|response| (None, response))).0
    }

    #[test]
    fn who_waits_learns_how_the_service_failed() {
        let refused = [
            Refusal::Call(CallError::Fault(Fault::NoResponse)),
            Refusal::Call(CallError::BreakerOpen {
                retry_after: OWN,
                held: false,
            }),
            Refusal::Call(UpstreamFault::NoInstance("legacy".into()).into()),
        ];
        for refusal in refused {
            let status = crate::respond::reason(&refusal);
            let Landing::Failed(failure) = landed_as(Err(refusal)) else {
                panic!("those who wait would all ask the service")
            };
            let refusal = Refusal::Awaited(failure);
            assert_eq!(crate::respond::reason(&refusal), status);
        }
        let mut response = Response::new(GatewayBody::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        assert!(matches!(
            landed_as(Ok(response)),
            Landing::Failed(Failure::Answered(StatusCode::SERVICE_UNAVAILABLE))
        ));
    }

    #[test]
    fn a_request_that_is_wrong_itself_says_nothing_of_others() {
        let refusal = Refusal::Body(UploadFault::Broken.into());
        assert!(matches!(landed_as(Err(refusal)), Landing::Own));
        let refusal = Refusal::Call(CallError::Fault(Fault::Request("long".into())));
        assert!(matches!(landed_as(Err(refusal)), Landing::Own));
        let answer = Response::new(GatewayBody::empty());
        assert!(matches!(landed_as(Ok(answer)), Landing::Own));
    }
}
