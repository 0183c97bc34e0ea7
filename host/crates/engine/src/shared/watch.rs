//! Deadlines of the calls in one shared instance.
//!
//! A single call can't be stopped inside a guest: only dropping the store ends
//! it. When a call outlives its deadline the instance is condemned: it takes no
//! new calls, the others may end in their time, then it is dropped. So it is once
//! nobody waits for any of its calls. This watches
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
    under_way: BTreeMap<u64, UnderWay>,
    condemned: bool,
}

struct UnderWay {
    deadline: Instant,
    /// Somebody waits for its answer.
    awaited: bool,
}

/// Who waits for one call's answer. Dropped without one, nobody does.
pub(super) struct Waiter {
    watch: Arc<Watch>,
    call: u64,
    has_answer: bool,
}

/// One call's entry, until it is dropped.
pub(super) struct Ticket {
    watch: Arc<Watch>,
    call: u64,
}

impl Watch {
    /// Notes a call, and who waits for it.
    pub(super) fn enter(self: &Arc<Self>, deadline: Instant) -> (Ticket, Waiter) {
        let mut calls = self.lock();
        let call = calls.next;
        calls.next += 1;
        let awaited = true;
        calls.under_way.insert(call, UnderWay { deadline, awaited });
        drop(calls);
        self.changed.notify_one();
        let watch = || Arc::clone(self);
        let ticket = Ticket {
            watch: watch(),
            call,
        };
        let waiter = Waiter {
            watch: watch(),
            call,
            has_answer: false,
        };
        (ticket, waiter)
    }

    /// Whether a call has outlived its deadline, or all were left alone.
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
        let all = || calls.under_way.values();
        let late = all().any(|call| call.deadline <= now);
        // The component model ends no single call of an instance: one that nobody waits
        // for goes on beside others, which must not suffer from its client.
        let left_alone = !calls.under_way.is_empty() && all().all(|call| !call.awaited);
        if !calls.condemned && !late && !left_alone {
            return Some(all().map(|call| call.deadline).min().unwrap_or_else(never));
        }
        let awaited = all().filter(|call| call.awaited);
        let last = awaited.map(|call| call.deadline).max();
        calls.condemned = true;
        last.filter(|last| *last > now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Its call may still be under way: it works on, or writes its body.
    pub(super) fn has_answer(mut self) {
        self.has_answer = true;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.has_answer {
            return;
        }
        if let Some(call) = self.watch.lock().under_way.get_mut(&self.call) {
            call.awaited = false;
            self.watch.changed.notify_one();
        }
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
    fn it_ends_once_nobody_waits_for_any_of_its_calls() {
        let watch = Arc::new(Watch::default());
        let now = Instant::now();
        let (_left, waiter) = watch.enter(now + Duration::from_secs(1));
        let (other, others_waiter) = watch.enter(now + Duration::from_secs(5));
        drop(waiter);
        assert_eq!(watch.next_check(now), Some(now + Duration::from_secs(1)));
        assert!(!watch.is_condemned(), "others wait for it");
        drop((other, others_waiter));
        assert_eq!(watch.next_check(now), None);
        assert!(watch.is_condemned());
    }

    #[test]
    fn who_has_an_answer_has_not_left() {
        let watch = Arc::new(Watch::default());
        let now = Instant::now();
        let (_under_way, waiter) = watch.enter(now + Duration::from_secs(1));
        waiter.has_answer();
        assert!(watch.next_check(now).is_some() && !watch.is_condemned());
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
