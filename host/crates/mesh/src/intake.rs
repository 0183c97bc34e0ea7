//! Whether services take new calls: an operator drains one, and lets it go on.
//!
//! One switch a service, which its guards ask for each call, and its routes before all
//! else that could answer. Knows nothing of what is under way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The service takes no new calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained;

/// Whether one service takes calls.
#[derive(Debug, Default)]
pub struct Intake {
    closed: AtomicBool,
    /// Tells those who wait for that.
    closes: Notify,
}

/// Those of all services, by name: a name is a service's or an upstream's, and may come
/// later.
#[derive(Debug, Clone, Default)]
pub struct Intakes(Arc<Mutex<BTreeMap<Arc<str>, Arc<Intake>>>>);

// === impl Intake ===

impl Intake {
    /// Lets a call through.
    ///
    /// # Errors
    ///
    /// While the service is drained.
    pub fn check(&self) -> Result<(), Drained> {
        match self.is_closed() {
            true => Err(Drained),
            false => Ok(()),
        }
    }

    /// Whether the service is drained.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Completes once the service is drained: at once where it is. Who waited for it is
    /// told even if it goes on by then.
    pub async fn closed(&self) {
        // It counts from here on, also what comes before it is waited for.
        let closes = self.closes.notified();
        if !self.is_closed() {
            closes.await;
        }
    }

    fn set(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
        if closed {
            self.closes.notify_waiters();
        }
    }
}

// === impl Intakes ===

impl Intakes {
    /// That of a service. The same name gives the same one.
    pub fn of(&self, service: &str) -> Arc<Intake> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(service) {
            return known.clone();
        }
        let new = Arc::<Intake>::default();
        all.insert(Arc::from(service), new.clone());
        new
    }

    /// Has a service take calls, or none.
    pub fn set(&self, service: &str, drained: bool) {
        self.of(service).set(drained);
        self.forget_unused();
    }

    /// Whether a service is drained.
    pub fn is_drained(&self, service: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(service).is_some_and(|intake| intake.is_closed())
    }

    /// Services come and go: what nothing holds and nobody drained is as if it never was.
    fn forget_unused(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, intake| intake.is_closed() || Arc::strong_count(intake) > 1);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn who_waits_for_a_drain_is_told() {
        let intakes = Intakes::default();
        let product = intakes.of("product");
        let mut first = Box::pin(product.closed());
        assert!(first.as_mut().now_or_never().is_none());
        intakes.set("order", true);
        assert!(first.as_mut().now_or_never().is_none(), "another's");
        intakes.set("product", true);
        assert!(product.closed().now_or_never().is_some(), "it is drained");
        intakes.set("product", false);
        assert!(first.as_mut().now_or_never().is_some(), "it was drained");
        assert!(product.closed().now_or_never().is_none());
    }

    #[test]
    fn a_name_that_is_drained_stays_so_whoever_comes_to_have_it() {
        let intakes = Intakes::default();
        intakes.set("product", true);
        let product = intakes.of("product");
        assert_eq!(product.check(), Err(Drained));
        assert_eq!(intakes.of("order").check(), Ok(()));
        intakes.set("product", false);
        assert_eq!(product.check(), Ok(()));
        assert!(!intakes.is_drained("product"));
        drop(product);
        intakes.set("order", false);
        assert!(intakes.0.lock().unwrap().is_empty(), "nothing holds them");
    }
}
