//! What the components of one revision say, into the host's log.

use std::sync::Arc;

use stoa_call::CallContext;
use stoa_engine::capabilities::logging::{GuestLog, Level};
use stoa_telemetry::logs::{self, GuestRecord, LogHandle};

/// The log of one revision's instances.
pub(super) struct RevisionLog {
    pub(super) logs: LogHandle,
    pub(super) service: Arc<str>,
    pub(super) revision: u64,
}

impl GuestLog for RevisionLog {
    fn log(&self, level: Level, context: &str, message: &str, call: &CallContext) {
        let level = level_of(level);
        if !self.logs.guest_enabled(&self.service, level) {
            return;
        }
        self.logs.guest(&GuestRecord {
            service: &self.service,
            revision: self.revision,
            level,
            context: (!context.is_empty()).then_some(context),
            message: message.as_bytes(),
            trace_id: Some(call.trace.trace_id),
            request_id: Some(&call.request_id.to_string()),
        });
    }
}

fn level_of(level: Level) -> logs::Level {
    match level {
        Level::Trace => logs::Level::Trace,
        Level::Debug => logs::Level::Debug,
        Level::Info => logs::Level::Info,
        Level::Warn => logs::Level::Warn,
        Level::Error => logs::Level::Error,
        Level::Critical => logs::Level::Critical,
    }
}
