//! A tie and settings for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Settings, Tie};

/// Of a call that ends with its client until it [goes on](goes_on).
#[derive(Clone, Default)]
pub(super) struct Loose(Arc<AtomicBool>);

/// From now on the call goes on without its client.
pub(super) fn goes_on(tie: &Loose) {
    tie.0.store(true, Ordering::Relaxed);
}

impl Tie for Loose {
    fn ends(&self) -> bool {
        !self.goes_on()
    }

    fn goes_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn wants_no_more(&self) -> bool {
        false
    }

    fn loosen(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(30),
        max_header_bytes: 16 << 10,
        max_headers: 100,
        http2_streams: 100,
    }
}
