//! Many threads at once: calls, and an operator who changes everything meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::task::{JoinSet, yield_now};

use super::fixture::{Hosted, at_once, call, nested, whole};
use crate::pool::Pool;
use stoa_engine::Waits as _;
use stoa_settings::Concurrency;
use stoa_telemetry::metrics::PoolReading as _;

const CLIENTS: u32 = 16;
const CALLS: u32 = 500;
const LIMIT: u32 = 3;

/// Has clients call, while the pool is drained, scaled and shrunk. Ends when all calls
/// have: one that waits for ever is one for which this does.
async fn storm<F>(hosted: &Hosted, client: impl Fn(Arc<Pool>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let pool = &hosted.pool;
    let is_over = Arc::new(AtomicBool::new(false));
    let operator = tokio::spawn(operate(pool.clone(), is_over.clone()));
    let mut clients: JoinSet<()> = (0..CLIENTS).map(|_| client(pool.clone())).collect();
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    operator.await.unwrap();
    let sample = pool.read();
    assert_eq!((sample.busy, sample.queued), (0, 0));
    assert_eq!(pool.calls(), u64::from(CLIENTS * CALLS));
    pool.drain();
    pool.settled().await;
    assert_eq!(pool.lock().live(), 0);
}

async fn operate(pool: Arc<Pool>, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        pool.scale(0, 1);
        yield_now().await;
        pool.scale(2, 6);
        yield_now().await;
        pool.drain();
        yield_now().await;
        pool.shrink();
        pool.read();
        pool.resume();
        yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_forgotten() {
    let hosted = Hosted::new(6, Concurrency::AtMost(LIMIT));
    storm(&hosted, calls_of_all_kinds).await;
}

async fn calls_of_all_kinds(pool: Arc<Pool>) {
    for turn in 0..CALLS {
        let context = match turn % 4 {
            0 => nested(),
            _ => call(),
        };
        if turn % 7 == 0 {
            // It gives up as soon as it has to wait.
            drop(at_once(pool.acquire(&context)));
            continue;
        }
        let lease = whole(pool.acquire(&context).await);
        if turn % 3 == 0 {
            yield_now().await;
        }
        if turn % 5 == 0 {
            pool.clone().begin();
            yield_now().await;
            pool.end();
        }
        match turn % 11 {
            0 => drop(lease),
            _ => lease.keep(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_calls_are_at_work_than_may_be() {
    let hosted = Hosted::new(6, Concurrency::AtMost(LIMIT));
    let at_work = Arc::new(AtomicU32::new(0));
    storm(&hosted, |pool| usual_calls(pool, at_work.clone())).await;
}

async fn usual_calls(pool: Arc<Pool>, at_work: Arc<AtomicU32>) {
    for turn in 0..CALLS {
        let lease = whole(pool.acquire(&call()).await);
        let others = at_work.fetch_add(1, Ordering::Relaxed);
        assert!(others < LIMIT, "{others} others are at work");
        if turn % 3 == 0 {
            yield_now().await;
        }
        at_work.fetch_sub(1, Ordering::Relaxed);
        lease.keep();
    }
}
