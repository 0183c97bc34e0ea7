//! Instances of one component that are parked, taken, waited for and given up.

mod fixture;
mod storm;

use std::sync::Arc;

use super::*;
use fixture::{Hosted, at_once, call, identity, nested, park_elsewhere, whole};
use stoa_call::Tie;
use stoa_settings::OnDisconnect;

#[tokio::test]
async fn a_worker_has_its_own_instance_again_without_the_pools_lock() {
    let hosted = Hosted::new(2, Concurrency::Off);
    let pool = &hosted.pool;
    let lease = whole(pool.acquire(&call()).await);
    let own = identity(&lease);
    lease.keep();
    // Who asked for the lock would wait for ever.
    let state = pool.lock();
    for _ in 0..3 {
        let lease = whole(at_once(pool.acquire(&call())).expect("it is parked here"));
        assert_eq!(identity(&lease), own);
        lease.keep();
    }
    drop(state);
    assert_eq!(pool.calls(), 4);
    let found = hosted.metrics.queue_wait.count();
    assert_eq!(found, 3, "the first had its instance made");
}

/// Its client may leave while that is done.
#[tokio::test]
async fn a_call_has_begun_before_its_instance_is_made() {
    let hosted = Hosted::new(64, Concurrency::Off);
    let mut leases = Vec::new();
    let (failed, tie) = loop {
        let (mut context, tie) = (call(), Tie::default());
        tie.wait(OnDisconnect::Finish);
        context.tie = Some(tie.clone());
        match hosted.pool.acquire(&context).await {
            Ok(lease) => leases.push(lease),
            Err(failed) => break (failed, tie),
        }
    };
    assert!(matches!(failed, PoolError::Start(_)), "{failed}");
    assert!(tie.goes_on(), "the engine has no room for its instance");
}

#[tokio::test]
async fn what_is_parked_is_idle() {
    let hosted = Hosted::new(2, Concurrency::Off);
    let pool = &hosted.pool;
    let read = || {
        let sample = pool.read();
        (sample.idle, sample.busy)
    };
    let lease = whole(pool.acquire(&call()).await);
    assert_eq!(read(), (0, 1));
    lease.keep();
    assert_eq!(read(), (1, 0));
    let first = whole(pool.acquire(&call()).await);
    let second = whole(pool.acquire(&call()).await);
    first.keep();
    assert_eq!(read(), (1, 1));
    second.keep();
    assert_eq!(read(), (2, 0), "one parked, one not");
}

#[tokio::test]
async fn what_another_has_parked_is_taken_before_one_is_made() {
    let hosted = Hosted::new(2, Concurrency::Off);
    let pool = &hosted.pool;
    let parked = park_elsewhere(pool);
    let lease = whole(pool.acquire(&call()).await);
    assert_eq!(identity(&lease), parked);
    assert_eq!(pool.lock().live(), 1);
}

#[tokio::test]
async fn who_waits_gets_what_another_has_parked() {
    let hosted = Hosted::new(1, Concurrency::Off);
    let pool = &hosted.pool;
    let parked = park_elsewhere(pool);
    // As a call that has asked before it was parked, and found nothing.
    let lease = whole(at_once(pool.wait(&call())).expect("it does not wait for ever"));
    assert_eq!(identity(&lease), parked);
}

#[tokio::test]
async fn what_is_given_back_goes_to_who_waits() {
    let hosted = Hosted::new(1, Concurrency::Off);
    let pool = &hosted.pool;
    let lease = whole(pool.acquire(&call()).await);
    let one = identity(&lease);
    let (context, waiter) = (call(), pool.clone());
    let waits = tokio::spawn(async move { identity(&whole(waiter.acquire(&context).await)) });
    while pool.read().queued == 0 {
        tokio::task::yield_now().await;
    }
    lease.keep();
    assert!(
        at_once(pool.acquire(&call())).is_none(),
        "it is another's turn"
    );
    assert_eq!(waits.await.unwrap(), one);
}

#[tokio::test]
async fn what_is_parked_goes_with_a_drain_and_a_smaller_size() {
    let hosted = Hosted::new(2, Concurrency::Off);
    let pool = &hosted.pool;
    park_elsewhere(pool);
    pool.scale(1, 1);
    assert_eq!(pool.lock().live(), 1, "it is the minimum");
    pool.scale(0, 1);
    assert_eq!(pool.lock().live(), 0);

    park_elsewhere(pool);
    pool.drain();
    assert_eq!(pool.lock().live(), 0);
    assert!(at_once(pool.settled()).is_some(), "no call is under way");
    park_elsewhere(pool);
    assert_eq!(pool.lock().live(), 0, "a pool that drains keeps nothing");
    pool.resume();
    park_elsewhere(pool);
    assert_eq!(pool.lock().live(), 1);
}

#[tokio::test]
async fn what_ends_above_the_maximum_goes() {
    let hosted = Hosted::new(3, Concurrency::Off);
    let pool = &hosted.pool;
    let first = whole(pool.acquire(&call()).await);
    let second = whole(pool.acquire(&call()).await);
    pool.scale(0, 1);
    first.keep();
    assert_eq!(pool.lock().live(), 1);
    second.keep();
    assert_eq!(pool.lock().live(), 1);
}

#[tokio::test]
async fn what_is_parked_goes_when_the_peak_is_forgotten() {
    let hosted = Hosted::new(4, Concurrency::Off);
    let pool = &hosted.pool;
    let burst = [(); 3].map(|()| whole(at_once(pool.acquire(&call())).expect("there is room")));
    burst.into_iter().for_each(ExclusiveLease::keep);
    pool.shrink();
    assert_eq!(pool.lock().live(), 3, "the peak of the first window");
    // Calls one after another, on all threads that there are.
    let mut windows = 0;
    while pool.lock().live() > 1 {
        park_elsewhere(pool);
        whole(pool.acquire(&call()).await).keep();
        pool.shrink();
        windows += 1;
        assert!(windows < 10, "one instance is all that they need");
    }
    while pool.lock().live() > 0 {
        pool.shrink();
        windows += 1;
        assert!(windows < 20, "nobody needs one any more");
    }
}

#[tokio::test]
async fn what_is_parked_has_a_place_within_the_limit() {
    let hosted = Hosted::new(4, Concurrency::AtMost(1));
    let pool = &hosted.pool;
    park_elsewhere(pool);
    let lease = whole(pool.acquire(&call()).await);
    assert!(at_once(pool.acquire(&call())).is_none(), "one is at work");
    lease.keep();
    assert!(at_once(pool.acquire(&call())).is_some());
}

#[tokio::test]
async fn a_nested_call_beyond_the_limit_leaves_its_place_to_nobody() {
    let hosted = Hosted::new(4, Concurrency::AtMost(1));
    let pool = &hosted.pool;
    let outer = whole(pool.acquire(&call()).await);
    whole(pool.acquire(&nested()).await).keep();
    assert!(
        at_once(pool.acquire(&call())).is_none(),
        "the outer call is at work"
    );
    outer.keep();
    assert!(at_once(pool.acquire(&call())).is_some());
}

#[tokio::test]
async fn calls_that_go_on_are_no_more_than_the_limit_lets_begin() {
    let hosted = Hosted::new(4, Concurrency::Adaptive);
    let pool = &hosted.pool;
    // Of one thread.
    assert_eq!(pool.lock().limit(), 2);
    let waiting = [(); 2].map(|()| whole(at_once(pool.acquire(&call())).expect("there is room")));
    for _ in &waiting {
        Arc::clone(pool).begin();
    }
    let first = whole(pool.acquire(&call()).await);
    let second = whole(pool.acquire(&call()).await);
    // What is parked when they go on is no place for one more.
    first.keep();
    for _ in &waiting {
        pool.end();
    }
    assert!(
        at_once(pool.acquire(&call())).is_none(),
        "three are at work"
    );
    second.keep();
    assert!(at_once(pool.acquire(&call())).is_none(), "two are at work");
    drop(waiting);
    assert!(at_once(pool.acquire(&call())).is_some());
}
