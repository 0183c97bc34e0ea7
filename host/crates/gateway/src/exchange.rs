//! A request, from its head to its answer: made once, and lent to all that it passes.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use http::request::Parts;

use super::client::Client;
use super::input::RequestBody;
use super::origin::{self, Origin};
use super::rate::Exceeded;
use super::respond::Refusal;
use super::table::Places;
use stoa_call::{CallContext, Principal, Tie};
use stoa_http::cache::writes::WriteTarget;
use stoa_http::compress::Coding;
use stoa_http::conditions::Conditions;
use stoa_http::rate_limit::RateLimitStatus;
use stoa_settings::Priority;

/// A request and what is found of it on its way.
pub(super) struct Exchange {
    /// Its method, target, version and headers. Who passes the request on takes the
    /// headers away, see [`Exchange::take_head`].
    pub(super) head: Parts,
    pub(super) body: RequestBody,
    pub(super) client: Arc<Client>,
    /// To its client, if it came over a connection of its own.
    pub(super) tie: Option<Tie>,
    pub(super) origin: Origin,
    pub(super) began: Instant,
    /// The `Origin` of the page that sends it, where its route has a policy.
    pub(super) page: Option<HeaderValue>,
    /// How its client wants the response to be compressed, where its route does that.
    pub(super) coding: Option<Coding>,
    /// What is left of its caller's limit, once that is known.
    pub(super) rate_limit: Option<RateLimitStatus>,
    /// Where in its path the parameters of its route are.
    pub(super) places: Places,
    pub(super) principal: Option<Arc<Principal>>,
    /// When it must be answered.
    pub(super) deadline: Instant,
    pub(super) idempotency_key: Option<Arc<str>>,
    /// What it says of the version that it is about.
    pub(super) conditions: Option<Arc<Conditions>>,
    /// What its answer is judged by.
    pub(super) expects: Option<Arc<Conditions>>,
    /// What it may change of what is cached.
    pub(super) target: Option<Box<WriteTarget>>,
}

impl Exchange {
    /// A request that has just come.
    pub(super) fn new(head: Parts, body: RequestBody, client: Arc<Client>, tie: &Tie) -> Self {
        let began = Instant::now();
        Self {
            origin: Origin::of(&head.headers, began),
            page: None,
            coding: None,
            head,
            body,
            client,
            tie: Some(tie.clone()),
            began,
            rate_limit: None,
            places: Places::default(),
            principal: None,
            deadline: began,
            idempotency_key: None,
            conditions: None,
            expects: None,
            target: None,
        }
    }

    /// Keeps what a limit of rate said of the request.
    pub(super) fn admitted(
        &mut self,
        admitted: Result<Option<RateLimitStatus>, Exceeded>,
    ) -> Result<(), Refusal> {
        let (status, admitted) = match admitted {
            Ok(status) => (status, Ok(())),
            Err(Exceeded { status, wait }) => {
                (Some(status), Err(Refusal::TooManyRequests { wait }))
            }
        };
        // The first limit that has something to say is the one that counts.
        self.rate_limit = self.rate_limit.take().or(status);
        admitted
    }

    /// The request is `principal`'s, and must be answered by `deadline`.
    pub(super) fn is_let_in(&mut self, principal: Option<Arc<Principal>>, deadline: Instant) {
        self.principal = principal;
        self.deadline = deadline;
        self.idempotency_key = origin::idempotency_key(&self.head.headers);
        self.conditions = origin::conditions(&self.head.headers);
    }

    /// The context of the call that it becomes.
    pub(super) fn context(&mut self, priority: Priority) -> CallContext {
        CallContext {
            principal: self.principal.take(),
            request_id: self.origin.request_id.clone(),
            trace: self.origin.trace,
            deadline: self.deadline,
            idempotency_key: self.idempotency_key.take(),
            enqueued: None,
            conditions: self.conditions.take(),
            depth: 0,
            priority,
            tie: self.tie.clone(),
        }
    }

    /// Its head for who passes it on. What is left has no headers.
    pub(super) fn take_head(&mut self) -> Parts {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.method = self.head.method.clone();
        head.uri = self.head.uri.clone();
        head.version = self.head.version;
        mem::swap(&mut head.headers, &mut self.head.headers);
        mem::swap(&mut head.extensions, &mut self.head.extensions);
        head
    }

    /// Its body. What is left has none.
    pub(super) fn take_body(&mut self) -> RequestBody {
        mem::replace(&mut self.body, RequestBody::Whole(Bytes::new()))
    }

    /// The request for who goes on with it whatever becomes of its connection. What is
    /// left is what its response needs.
    pub(super) fn detach(&mut self) -> Self {
        Self {
            head: self.take_head(),
            body: self.take_body(),
            client: self.client.clone(),
            tie: self.tie.clone(),
            origin: self.origin.clone(),
            began: self.began,
            page: None,
            coding: None,
            rate_limit: None,
            places: self.places.clone(),
            principal: self.principal.take(),
            deadline: self.deadline,
            idempotency_key: self.idempotency_key.take(),
            conditions: self.conditions.take(),
            expects: None,
            target: self.target.take(),
        }
    }
}
