//! A queue, as a target: it keeps a call that is made later.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Target;
use crate::fault::{CallError, QueueFault};
use stoa_call::TraceContext;
use stoa_call::deadline::within;
use stoa_settings as settings;
use stoa_store::log::{Appended, Bounds, Dedupe, MAX_BODY, NewMessage};
use stoa_store::{Append, Log, StoreError};

/// How long a call may take to be kept: as a disk that is nearly stuck.
const TIME: Duration = Duration::from_secs(30);

/// A queue that keeps calls.
#[derive(Clone)]
pub struct Queue {
    /// The service that keeps calls in it.
    pub service: Arc<str>,
    /// The number of that service's revision; 0 where it is nobody's.
    pub revision: u64,
    /// Its name: the interface, without version.
    pub name: Arc<str>,
    /// How it keeps them.
    pub settings: Arc<settings::Queue>,
    /// Where it keeps them.
    pub log: Arc<dyn Log>,
}

/// A call to keep.
pub struct Kept {
    /// What orders it.
    pub key: Option<String>,
    /// What names it.
    pub dedupe: Option<String>,
    /// How long it is kept before it is delivered.
    pub delay: Duration,
    /// The call itself; see [`crate::queue::StoredCall`].
    pub body: Vec<u8>,
}

impl Queue {
    /// What the store is to do to keep a call.
    pub(crate) fn append(&self, call: Kept) -> Append {
        let now = SystemTime::now();
        let window = self.settings.dedupe_window;
        Append {
            queue: self.name.to_string(),
            message: NewMessage {
                key: call.key,
                body: call.body,
                due: (!call.delay.is_zero()).then(|| now + call.delay),
                dedupe: call.dedupe.map(|id| Dedupe {
                    id,
                    until: now + window,
                }),
            },
            bounds: Bounds {
                messages: self.settings.max_length,
                bytes: self.settings.max_bytes,
            },
        }
    }

    /// Keeps a call; it is on disk then.
    pub(crate) async fn keep(
        &self,
        call: Kept,
        deadline: std::time::Instant,
    ) -> Result<Appended, CallError> {
        let now = SystemTime::now();
        let Append {
            message, bounds, ..
        } = self.append(call);
        let appended = self.log.append(&self.name, vec![message], bounds, now);
        let fault = match within(deadline, appended).await? {
            Ok(Ok(mut appended)) => match appended.pop() {
                Some(one) => return Ok(one),
                None => QueueFault::Store("it kept nothing".to_owned()),
            },
            Ok(Err(full)) => QueueFault::Full(full.to_string()),
            Err(error @ StoreError::TooLarge { .. }) => QueueFault::TooLarge(error.to_string()),
            Err(error) => QueueFault::Store(error.to_string()),
        };
        Err(CallError::queue(&self.name, fault))
    }
}

impl Target for Queue {
    fn service(&self) -> &Arc<str> {
        &self.service
    }

    fn number(&self) -> u64 {
        self.revision
    }

    fn time_limit(&self) -> Duration {
        TIME
    }

    fn body_limit(&self) -> u64 {
        MAX_BODY as u64
    }

    fn report(&self, trace: &TraceContext, error: &CallError) {
        tracing::warn!(
            service.name = &*self.service,
            queue = &*self.name,
            trace.id = format_args!("{:032x}", trace.trace_id),
            "a call was not kept: {error}"
        );
    }
}
