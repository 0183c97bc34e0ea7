//! What every engine of [`Leases`] promises, as tests that each engine runs.
//!
//! [`leases_conformance!`](crate::leases_conformance) makes a test of each check.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fastrand::Rng;

use super::{Mortal, at};
use crate::log::MAX_NAME;
use crate::{Held, Lease, Leases, StoreError, Term};

/// Makes a test of each check, for the engine that a function returns: a
/// [`Mortal`](crate::conformance::Mortal).
#[macro_export]
macro_rules! leases_conformance {
    ($fresh:path) => {
        $crate::leases_conformance! {
            $fresh: tokio::test:
            a_lease_has_one_holder_until_its_end
            a_holder_that_comes_again_has_a_new_number
            a_lease_is_renewed_until_it_is_lost
            a_lease_that_is_released_is_free_at_once
            a_lease_and_its_number_outlive_a_crash
            leases_do_not_overlap
            a_lease_has_a_name_and_an_owner
        }
        $crate::leases_conformance! {
            $fresh: tokio::test(flavor = "multi_thread", worker_threads = 4):
            of_many_who_want_a_lease_one_holds_it
        }
    };
    ($fresh:path: $test:meta: $($check:ident)*) => {$(
        #[$test]
        async fn $check() {
            $crate::conformance::holders::$check($fresh()).await;
        }
    )*};
}

fn term(now: u64, until: u64) -> Term {
    Term {
        now: at(now),
        until: at(until),
    }
}

/// Acquires the lease `l`.
async fn acquire(leases: &dyn Leases, owner: &str, term: Term) -> Result<Lease, Held> {
    leases.acquire("l", owner, term).await.unwrap()
}

async fn holder(leases: &dyn Leases, now: u64) -> Option<Lease> {
    leases.holder("l", at(now)).await.unwrap()
}

/// The end itself is after it.
pub async fn a_lease_has_one_holder_until_its_end(engine: impl Mortal) {
    let leases = &*engine.leases();
    assert_eq!(holder(leases, 0).await, None);
    let one = acquire(leases, "one", term(0, 10)).await.unwrap();
    assert_eq!((&*one.name, &*one.owner), ("l", "one"));
    assert_eq!(one.until, at(10));
    for now in [0, 9] {
        let refused = acquire(leases, "two", term(now, 20)).await;
        assert_eq!(refused, Err(Held(one.clone())));
        assert_eq!(holder(leases, now).await, Some(one.clone()));
    }
    assert_eq!(holder(leases, 10).await, None);
    let two = acquire(leases, "two", term(10, 20)).await.unwrap();
    assert!(two.fence > one.fence);
    assert_eq!(holder(leases, 10).await, Some(two.clone()));
    let refused = acquire(leases, "one", term(11, 30)).await;
    assert_eq!(refused, Err(Held(two)));
}

/// Before its end: it may have died, and forgotten the one that it had.
pub async fn a_holder_that_comes_again_has_a_new_number(engine: impl Mortal) {
    let leases = &*engine.leases();
    let first = acquire(leases, "one", term(0, 10)).await.unwrap();
    let again = acquire(leases, "one", term(1, 5)).await.unwrap();
    assert!(again.fence > first.fence);
    assert!(!leases.renew(&first, at(20)).await.unwrap());
    assert!(!leases.release(&first).await.unwrap());
    assert_eq!(holder(leases, 2).await, Some(again));
    assert_eq!(holder(leases, 5).await, None, "the new end counts");
}

/// Also after its end, while nobody acquired it.
pub async fn a_lease_is_renewed_until_it_is_lost(engine: impl Mortal) {
    let leases = &*engine.leases();
    let one = acquire(leases, "one", term(0, 10)).await.unwrap();
    assert!(leases.renew(&one, at(20)).await.unwrap());
    let renewed = Lease {
        until: at(20),
        ..one.clone()
    };
    let refused = acquire(leases, "two", term(15, 30)).await;
    assert_eq!(refused, Err(Held(renewed)));
    assert_eq!(holder(leases, 25).await, None);
    assert!(leases.renew(&one, at(30)).await.unwrap());
    assert_eq!(holder(leases, 25).await.unwrap().fence, one.fence);
    let two = acquire(leases, "two", term(30, 40)).await.unwrap();
    assert!(!leases.renew(&one, at(50)).await.unwrap());
    assert_eq!(holder(leases, 31).await, Some(two));
}

/// By who holds it, once.
pub async fn a_lease_that_is_released_is_free_at_once(engine: impl Mortal) {
    let leases = &*engine.leases();
    let one = acquire(leases, "one", term(0, 10)).await.unwrap();
    assert!(leases.release(&one).await.unwrap());
    assert_eq!(holder(leases, 1).await, None);
    assert!(!leases.release(&one).await.unwrap());
    assert!(!leases.renew(&one, at(20)).await.unwrap());
    assert_eq!(holder(leases, 1).await, None, "it is not back");
    let two = acquire(leases, "two", term(1, 10)).await.unwrap();
    assert!(two.fence > one.fence);
    assert!(!leases.release(&one).await.unwrap());
    assert_eq!(holder(leases, 1).await, Some(two));
}

/// Who holds it need not be who died; and a number is given out once, also where nothing
/// else is left of it.
pub async fn a_lease_and_its_number_outlive_a_crash(mut engine: impl Mortal) {
    let one = acquire(&*engine.leases(), "one", term(0, 10)).await;
    let one = one.unwrap();
    engine.crash();
    assert_eq!(holder(&*engine.leases(), 5).await, Some(one.clone()));
    let refused = acquire(&*engine.leases(), "two", term(5, 20)).await;
    assert_eq!(refused, Err(Held(one.clone())));
    assert!(engine.leases().renew(&one, at(20)).await.unwrap());
    assert!(engine.leases().release(&one).await.unwrap());
    let mut last = one.fence;
    for _ in 0..3 {
        engine.crash();
        assert_eq!(holder(&*engine.leases(), 5).await, None);
        let next = acquire(&*engine.leases(), "two", term(5, 20)).await;
        let next = next.unwrap();
        assert!(next.fence > last);
        last = next.fence;
        assert!(engine.leases().release(&next).await.unwrap());
    }
}

/// Whatever their names look like together.
pub async fn leases_do_not_overlap(engine: impl Mortal) {
    let leases = engine.leases();
    let names = ["a", "ab", "a/b", "A", "a.b", "a.*", " ", "é"];
    for (owner, name) in names.iter().enumerate() {
        let owner = owner.to_string();
        let acquired = leases.acquire(name, &owner, term(0, 10));
        acquired.await.unwrap().unwrap();
    }
    for (owner, name) in names.iter().enumerate() {
        let found = leases.holder(name, at(0)).await.unwrap().unwrap();
        assert_eq!((&*found.name, found.owner), (*name, owner.to_string()));
    }
}

/// That can be ones.
pub async fn a_lease_has_a_name_and_an_owner(engine: impl Mortal) {
    let (leases, long) = (engine.leases(), "x".repeat(MAX_NAME + 1));
    for bad in ["", "a\0b", "a\nb", &long] {
        for (name, owner) in [(bad, "one"), ("l", bad)] {
            let refused = leases.acquire(name, owner, term(0, 10)).await;
            assert!(matches!(refused, Err(StoreError::BadName { .. })));
        }
        let refused = leases.holder(bad, at(0)).await;
        assert!(matches!(refused, Err(StoreError::BadName { .. })));
    }
    assert_eq!(holder(&*leases, 0).await, None);
    let longest = &long[1..];
    let acquired = leases.acquire(longest, longest, term(0, 10)).await;
    assert_eq!(acquired.unwrap().unwrap().owner, longest);
}

/// All are told who.
pub async fn of_many_who_want_a_lease_one_holds_it(engine: impl Mortal) {
    let mut last = 0;
    for round in 0..20 {
        let tasks = (0..8).map(|owner| {
            let leases = engine.leases();
            let term = term(round, round + 1);
            tokio::spawn(async move { acquire(&*leases, &owner.to_string(), term).await })
        });
        let told = futures::future::join_all(tasks.collect::<Vec<_>>()).await;
        let told: Vec<_> = told.into_iter().map(Result::unwrap).collect();
        let mut won = told.iter().filter_map(|told| told.as_ref().ok());
        let winner = won.next().unwrap();
        assert_eq!(won.next(), None);
        assert!(winner.fence > last);
        last = winner.fence;
        let others = told.iter().filter_map(|told| told.as_ref().err());
        for Held(held) in others {
            assert_eq!(held, winner);
        }
    }
}

/// What those who want a lease were told.
#[derive(Default)]
struct Ledger {
    now: u64,
    /// With the second at which it ends.
    holds: Option<(Lease, u64)>,
    fences: BTreeSet<u64>,
}

/// Nobody is given a lease while somebody knows that it holds it, and each is given a
/// number of its own that is greater than all that were known when it asked. For engines
/// that fail by chance, too.
///
/// # Panics
/// Where it does not hold.
pub async fn nobody_holds_a_lease_beside_another(callers: Vec<Arc<dyn Leases>>, seed: u64) {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let tasks = callers.into_iter().zip(0..).map(|(leases, owner)| {
        let (ledger, mut rng) = (Arc::clone(&ledger), Rng::with_seed(seed + owner));
        tokio::spawn(async move {
            for _ in 0..100 {
                let mine = try_acquire(&*leases, &owner.to_string(), &ledger, &mut rng).await;
                if let Some(mine) = mine {
                    hold(&*leases, mine, &ledger, &mut rng).await;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    for task in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
        task.unwrap();
    }
    assert!(ledger.lock().unwrap().fences.len() > 10, "hardly any held");
}

async fn try_acquire(
    leases: &dyn Leases,
    owner: &str,
    ledger: &Mutex<Ledger>,
    rng: &mut Rng,
) -> Option<Lease> {
    let (now, until, held, last) = {
        let mut ledger = ledger.lock().unwrap();
        ledger.now += rng.u64(..3);
        let own = ledger.holds.take_if(|(lease, _)| lease.owner == owner);
        drop(own);
        let last = ledger.fences.last().copied();
        let until = ledger.now + rng.u64(1..10);
        (ledger.now, until, ledger.holds.clone(), last)
    };
    let acquired = leases.acquire("l", owner, term(now, until)).await;
    let lease = acquired.ok()?.ok()?;
    let mut ledger = ledger.lock().unwrap();
    if let Some((held, end)) = held.filter(|held| ledger.holds.as_ref() == Some(held)) {
        assert!(end <= now, "{lease:?} beside {held:?} at {now}");
    }
    assert!(Some(lease.fence) > last, "{lease:?} after {last:?}");
    assert!(ledger.fences.insert(lease.fence), "{lease:?} again");
    if ledger.fences.last() == Some(&lease.fence) {
        ledger.holds = Some((lease.clone(), until));
    }
    Some(lease)
}

/// Renews a lease some times, and lets go of it or not.
async fn hold(leases: &dyn Leases, mine: Lease, ledger: &Mutex<Ledger>, rng: &mut Rng) {
    let own = |holds: &(Lease, u64)| holds.0.fence == mine.fence;
    let ends = |change: &dyn Fn(u64) -> u64| {
        let mut ledger = ledger.lock().unwrap();
        if let Some((_, end)) = ledger.holds.as_mut().filter(|holds| own(holds)) {
            *end = change(*end);
        }
    };
    while rng.u8(..3) > 0 {
        let until = ledger.lock().unwrap().now + rng.u64(10..20);
        // From now on it may have its old end or the new one: the lesser is sure.
        ends(&|end| end.min(until));
        match leases.renew(&mine, at(until)).await {
            Ok(true) => ends(&|_| until),
            Ok(false) => return,
            Err(_) => {}
        }
    }
    if rng.bool() {
        ledger.lock().unwrap().holds.take_if(|holds| own(holds));
        drop(leases.release(&mine).await);
    }
}
