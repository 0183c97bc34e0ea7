//! Refusals as metrics count them.

use super::kept;
use super::{BodyFault, CallError, Denied, Failure, Fault, PoolError, Priority, Refusal};
use stoa_mesh::{QueueFault, UpstreamFault};

/// The reason of a refusal as metrics name it; `None` where the host refused nothing.
pub(crate) fn reason(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::Options(_) | Refusal::NoMatch => return None,
        Refusal::BadRequest(_) => "bad_request",
        Refusal::UriTooLong => "uri_too_long",
        Refusal::TooManyFields => "head_too_large",
        Refusal::NoRoute { .. } => "no_route",
        Refusal::MethodNotAllowed(_) => "method",
        Refusal::Denied(Denied::Missing | Denied::Invalid(_)) => "unauthorized",
        Refusal::Denied(Denied::Unchecked(_)) => "stale_keys",
        Refusal::Denied(Denied::Certificate(_)) => "client_certificate",
        Refusal::Denied(Denied::Scope(_)) => "forbidden",
        Refusal::Denied(Denied::Ambiguous(_)) => "bad_request",
        Refusal::TooManyRequests { .. } => "rate_limited",
        Refusal::Body(BodyFault::Upload(fault)) => fault.reason(),
        Refusal::Body(_) | Refusal::Input(_) => "input",
        Refusal::Idempotency(fault) => kept::reason(*fault),
        Refusal::NoWebSocket | Refusal::OtherProtocol => "protocol",
        Refusal::OtherOrigin => "origin",
        Refusal::Store => "store",
        Refusal::NotCached => "not_cached",
        // Counted where it failed, for a service may have answered by then.
        Refusal::Call(CallError::Upload(_)) => return None,
        Refusal::Call(error) => call_reason(error),
        Refusal::Awaited(Failure::Call(error)) => call_reason(error),
        // The service's own word, as it is to who asked first.
        Refusal::Awaited(Failure::Answered(_)) => return None,
    })
}

fn call_reason(error: &CallError) -> &'static str {
    match error {
        CallError::Pool(PoolError::QueueFull { .. }) => "queue_full",
        CallError::Pool(PoolError::NoTime { .. } | PoolError::QueueDeadline { .. }) => {
            "queue_deadline"
        }
        CallError::Pool(PoolError::Shed { priority, .. }) => match priority {
            Priority::Low => "shed_low",
            Priority::Normal => "shed_normal",
            Priority::High => "shed_high",
        },
        CallError::Pool(PoolError::Start(_)) => "no_instance",
        CallError::BreakerOpen { .. } => "breaker_open",
        CallError::Drained => "draining",
        CallError::Deadline | CallError::LittleTime | CallError::DeadlineInQueue => "deadline",
        CallError::Fault(Fault::Dependency { .. }) => "dependency",
        CallError::Fault(Fault::Memory { .. }) => "memory",
        CallError::Fault(Fault::Request(_)) => "bad_request",
        CallError::Upload(fault) => fault.reason(),
        CallError::Fault(_) => "trap",
        CallError::Upstream(fault) => upstream_reason(fault),
        CallError::Queue(kept) if matches!(kept.fault, QueueFault::TooLarge(_)) => "body_too_large",
        CallError::Queue(_) => "queue_unavailable",
    }
}

fn upstream_reason(fault: &UpstreamFault) -> &'static str {
    match fault {
        UpstreamFault::NoInstance(_) => "no_instance",
        UpstreamFault::Busy { .. } => "upstream_limit",
        UpstreamFault::Connect { .. } | UpstreamFault::Broken { .. } => "bad_gateway",
        UpstreamFault::Request(_) => "bad_request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_no_service_can_take_is_no_trap() {
        let told = |fault| reason(&Refusal::Call(CallError::Fault(fault)));
        assert_eq!(told(Fault::Request("no host".into())), Some("bad_request"));
        assert_eq!(told(Fault::NoResponse), Some("trap"));
    }

    #[test]
    fn a_body_that_failed_on_its_way_is_counted_there() {
        let fault = stoa_mesh::UploadFault::Broken;
        assert_eq!(reason(&Refusal::Call(CallError::Upload(fault))), None);
        assert_eq!(reason(&Refusal::Body(fault.into())), Some("broken_body"));
    }
}
