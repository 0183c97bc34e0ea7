//! A request's body on its way into a service, and how it failed if it did.
//!
//! Who hands the body on notes here what becomes of it; who judges the call asks. A
//! client that does not finish what it sends must not look like a service that fails:
//! else any client could have the service cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http_body::Body;

use super::fault::{CallError, UploadFault, UpstreamFault};
use stoa_engine::http::BodyError;
use stoa_telemetry::Metrics;

/// What became of one body so far. Costs nothing where a request has none.
#[derive(Clone, Default)]
pub struct RequestBodyState(Option<Arc<Progress>>);

struct Progress {
    state: AtomicU8,
    limit: u64,
    metrics: Arc<Metrics>,
}

// What `Progress::state` may be: the last three are ends.
const COMES: u8 = 0;
const AWAITED: u8 = 1;
const TOO_LARGE: u8 = 2;
const BROKEN: u8 = 3;
const TOO_SLOW: u8 = 4;

impl RequestBodyState {
    /// Of a body that may have `limit` bytes. Its fault is counted when it is noted.
    pub fn of(body: &impl Body, limit: u64, metrics: &Arc<Metrics>) -> Self {
        let begins = !body.is_end_stream();
        Self(begins.then(|| {
            Arc::new(Progress {
                state: AtomicU8::new(COMES),
                limit,
                metrics: metrics.clone(),
            })
        }))
    }

    /// Notes that the service wants more than the client has sent.
    pub fn waits(&self) {
        self.turn(COMES, AWAITED);
    }

    /// Notes that more has come, or that the end has.
    pub fn came(&self) {
        self.turn(AWAITED, COMES);
    }

    /// Notes an error that the service gets instead of the rest.
    pub fn fails(&self, error: &BodyError) {
        let fault = match error {
            BodyError::HttpRequestBodySize(_) => TOO_LARGE,
            BodyError::ConnectionReadTimeout => TOO_SLOW,
            _ => BROKEN,
        };
        if !self.turn(COMES, fault) {
            self.turn(AWAITED, fault);
        }
    }

    /// How the body failed, if it has.
    pub fn fault(&self) -> Option<UploadFault> {
        let progress = self.0.as_deref()?;
        Some(match progress.state.load(Ordering::Acquire) {
            TOO_LARGE => UploadFault::TooLarge {
                limit: progress.limit,
            },
            BROKEN => UploadFault::Broken,
            TOO_SLOW => UploadFault::TooSlow,
            _ => return None,
        })
    }

    /// What a call failed with, or what this body failed with before: who was to answer
    /// need not bear that.
    pub(super) fn blame(&self, error: CallError) -> CallError {
        let fault = match &error {
            CallError::Deadline | CallError::LittleTime => self.fault_at_deadline(),
            CallError::Fault(_) => self.fault(),
            CallError::Upstream(fault) if matches!(**fault, UpstreamFault::Broken { .. }) => {
                self.fault()
            }
            _ => None,
        };
        fault.map_or(error, CallError::Upload)
    }

    /// The same at the call's deadline: a body that is still waited for is too slow.
    fn fault_at_deadline(&self) -> Option<UploadFault> {
        self.turn(AWAITED, TOO_SLOW);
        self.fault()
    }

    /// Goes from one state to another, unless it is in a third.
    fn turn(&self, from: u8, to: u8) -> bool {
        let Some(progress) = self.0.as_deref() else {
            return false;
        };
        let state = &progress.state;
        let turned = state.load(Ordering::Relaxed) == from
            && state
                .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if turned && let Some(fault) = self.fault().filter(|_| to > AWAITED) {
            progress.metrics.rejected(fault.reason()).inc();
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;
    use stoa_engine::Fault;

    fn upload(metrics: &Arc<Metrics>) -> RequestBodyState {
        RequestBodyState::of(&Full::new(Bytes::from("a")), 1, metrics)
    }

    #[test]
    fn the_first_fault_stands_and_is_counted_once() {
        let metrics = Arc::default();
        let upload = upload(&metrics);
        upload.waits();
        assert_eq!(upload.fault(), None);
        upload.fails(&BodyError::HttpRequestBodySize(Some(1)));
        upload.came();
        upload.fails(&BodyError::ConnectionReadTimeout);
        let fault = Some(UploadFault::TooLarge { limit: 1 });
        assert_eq!(upload.fault(), fault);
        assert_eq!(upload.fault_at_deadline(), fault);
        assert_eq!(metrics.rejected("body_too_large").get(), 1);
        assert_eq!(metrics.rejected("slow_body").get(), 0);
    }

    #[test]
    fn a_deadline_is_the_clients_only_where_its_body_is_waited_for() {
        let metrics = Arc::default();
        let upload = upload(&metrics);
        assert_eq!(upload.fault_at_deadline(), None, "nobody wants it");
        upload.waits();
        upload.came();
        assert_eq!(upload.fault_at_deadline(), None, "it is there");
        upload.waits();
        assert_eq!(upload.fault_at_deadline(), Some(UploadFault::TooSlow));
        assert_eq!(metrics.rejected("slow_body").get(), 1);
    }

    #[test]
    fn who_answers_does_not_bear_what_the_body_failed_with() {
        let broken = |reason: &str| {
            CallError::from(UpstreamFault::Broken {
                upstream: "legacy".into(),
                instance: "http://a".to_owned(),
                reason: reason.to_owned(),
            })
        };
        let metrics = Arc::default();
        let whole = upload(&metrics);
        let told = whole.blame(broken("reset"));
        assert!(matches!(told, CallError::Upstream(_)), "{told}");
        let failed = upload(&metrics);
        failed.fails(&BodyError::ConnectionTerminated);
        let none = UpstreamFault::NoInstance("legacy".into()).into();
        let told = failed.blame(none);
        assert!(matches!(told, CallError::Upstream(_)), "it was not sent");
        for error in [broken("reset"), CallError::Fault(Fault::NoResponse)] {
            let told = failed.blame(error);
            assert!(matches!(told, CallError::Upload(UploadFault::Broken)));
        }
        let awaited = upload(&metrics);
        awaited.waits();
        let told = awaited.blame(CallError::Deadline);
        assert!(matches!(told, CallError::Upload(UploadFault::TooSlow)));
    }

    #[test]
    fn no_body_has_no_fault() {
        let upload = RequestBodyState::of(&Empty::<Bytes>::new(), 1, &Arc::default());
        upload.waits();
        upload.fails(&BodyError::ConnectionReadTimeout);
        assert_eq!(upload.fault_at_deadline(), None);
    }
}
