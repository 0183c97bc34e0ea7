//! Deadlines of the calls in one shared instance.
//!
//! A single call can't be stopped inside a guest: only dropping the store ends
//! it. When a call outlives its deadline the instance is condemned: it takes no
//! new calls, the others may end in their time, then it is dropped. This watches
//! from outside the store's event loop, which a busy guest holds up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::never;

/// The calls under way in one instance.
#[derive(Default)]
pub(super) struct Watch {
    calls: Mutex<Calls>,
    changed: Notify,
}

#[derive(Default)]
struct Calls {
    next: u64,
    /// Call → its deadline.
    under_way: BTreeMap<u64, Instant>,
    condemned: bool,
}

/// One call's entry, until it is dropped.
pub(super) struct Ticket {
    watch: Arc<Watch>,
    call: u64,
}

impl Watch {
    /// Notes a call.
    pub(super) fn enter(self: &Arc<Self>, deadline: Instant) -> Ticket {
        let mut calls = self.lock();
        let call = calls.next;
        calls.next += 1;
        calls.under_way.insert(call, deadline);
        drop(calls);
        self.changed.notify_one();
        Ticket {
            watch: Arc::clone(self),
            call,
        }
    }

    /// Whether a call has outlived its deadline.
    pub(super) fn is_condemned(&self) -> bool {
        self.lock().condemned
    }

    /// Waits until the instance must be dropped.
    pub(super) async fn expired(&self) {
        loop {
            let Some(wake) = self.next_check(Instant::now()) else {
                return;
            };
            let asleep = tokio::time::sleep_until(wake.into());
            tokio::select! {
                () = asleep => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// When to look again; `None` when the time has come.
    fn next_check(&self, now: Instant) -> Option<Instant> {
        let mut calls = self.lock();
        calls.condemned |= calls.under_way.values().any(|deadline| *deadline <= now);
        if !calls.condemned {
            return Some(
                calls
                    .under_way
                    .values()
                    .min()
                    .copied()
                    .unwrap_or_else(never),
            );
        }
        calls
            .under_way
            .values()
            .max()
            .copied()
            .filter(|last| *last > now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.watch.lock().under_way.remove(&self.call);
        self.watch.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_instance_lives_while_its_calls_keep_their_deadlines() {
        let watch = Arc::new(Watch::default());
        let now = Instant::now();
        let _call = watch.enter(now + Duration::from_secs(5));
        assert_eq!(watch.next_check(now), Some(now + Duration::from_secs(5)));
        assert!(!watch.is_condemned());
    }

    #[test]
    fn a_late_call_condemns_it_and_the_others_may_end() {
        let watch = Arc::new(Watch::default());
        let now = Instant::now();
        let late = watch.enter(now + Duration::from_secs(1));
        let other = watch.enter(now + Duration::from_secs(5));
        let then = now + Duration::from_secs(2);
        assert_eq!(watch.next_check(then), Some(now + Duration::from_secs(5)));
        assert!(watch.is_condemned());
        drop(other);
        assert_eq!(watch.next_check(then), None, "only the late call is left");
        drop(late);
        assert!(
            watch.is_condemned(),
            "a condemned instance takes no calls again"
        );
    }
}
