//! Messages that failed for good, and what an operator does about them.

use super::{Bench, at, body, message};
use crate::Log;
use crate::log::{Delivery, Exhausted, NewMessage, Purge, Redrive};

async fn bury(log: &dyn Log, delivery: &Delivery, how: Exhausted) -> bool {
    let error = format!("{} is bad", body(delivery));
    log.bury(delivery.receipt.clone(), error, how)
        .await
        .unwrap()
}

/// It is kept, with its error, and nothing waits for it.
pub async fn a_dead_letter_leaves_its_key(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1", "a2", "-1"]).await;
    for delivery in bench.claim(0).await {
        assert!(bury(log, &delivery, Exhausted::Dead).await);
    }
    assert_eq!(bench.bodies(0).await, ["a2"]);
    assert_eq!(bench.stats(5000).await.dead, 2);
    let dead = bench.peek(5000).await.remove(0);
    assert_eq!(dead.attempts, 1);
    assert_eq!(dead.last_error.as_deref(), Some("a1 is bad"));
    assert_eq!(bench.size().await.0, 3, "a dead letter is there");
}

/// All or some, in their old places, with all their attempts.
pub async fn dead_letters_are_redriven(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let ids = bench.add(&["a1", "-1", "b1", "-2", "c1"]).await;
    for delivery in bench.claim(0).await {
        assert!(bury(log, &delivery, Exhausted::Dead).await);
    }
    let newer = bench.add(&["a2", "b2"]).await;
    let redrive = async |which, most| log.redrive(bench.from, which, most).await.unwrap();
    assert_eq!(
        redrive(Redrive::Ids(vec![ids[2], newer[0], 999]), 9).await,
        1
    );
    let claimed = bench.claim(0).await;
    let bodies: Vec<_> = claimed.iter().map(body).collect();
    assert_eq!(bodies, ["b1", "a2"], "it is before b2 again");
    assert_eq!(claimed[0].attempts, 0);
    assert_eq!(claimed[0].last_error.as_deref(), Some("b1 is bad"));
    assert_eq!(redrive(Redrive::All, 2).await, 2);
    assert_eq!(bench.bodies(0).await, ["-1"], "a2 is in flight");
    assert!(bench.ack(&claimed[1]).await);
    assert_eq!(bench.bodies(0).await, ["a1"]);
    assert_eq!(redrive(Redrive::All, 100).await, 2);
    assert_eq!(bench.bodies(0).await, ["-2", "c1"]);
    assert_eq!(redrive(Redrive::All, 100).await, 0);
}

/// Until it is redriven or purged. Others go on.
pub async fn a_paused_key_stands_still(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let late = NewMessage {
        due: Some(at(10)),
        ..message("a0")
    };
    bench.append(vec![late]).await;
    bench.add(&["a1", "a2", "b1", "-1", "b2"]).await;
    for delivery in bench.claim(0).await {
        assert!(bury(log, &delivery, Exhausted::PauseKey).await);
    }
    assert!(
        bench.claim(500).await.is_empty(),
        "not what comes before it either"
    );
    let stats = bench.stats(500).await;
    assert_eq!((stats.paused_keys, stats.dead, stats.waiting), (2, 1, 3));
    bench.add(&["c1"]).await;
    assert_eq!(bench.bodies(500).await, ["c1"]);
    let purged = log.purge("q", Some("s"), Purge::Dead).await.unwrap();
    assert_eq!(purged, 1, "without a key it had gone to the dead letters");
    let redriven = log.redrive(bench.from, Redrive::All, 1).await.unwrap();
    assert_eq!(redriven, 1);
    let mut seen = Vec::new();
    while let Some(delivery) = bench.claim(500).await.first() {
        seen.push(body(delivery));
        assert!(bench.ack(delivery).await);
    }
    assert_eq!(seen, ["a0", "a1", "a2"]);
    assert_eq!(bench.stats(500).await.paused_keys, 1);
    let purged = log.purge("q", Some("s"), Purge::Waiting).await.unwrap();
    assert_eq!((purged, bench.stats(500).await.paused_keys), (2, 0));
    bench.add(&["b3"]).await;
    assert_eq!(bench.bodies(500).await, ["b3"]);
}

/// A lease that ended may still pause a key that stands still.
pub async fn a_key_paused_twice_is_redriven_twice(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let late = NewMessage {
        due: Some(at(10)),
        ..message("a1")
    };
    let ids = bench.append(vec![late, message("a2"), message("a3")]).await;
    let second = bench.claim_for(0, 10).await.remove(0);
    let first = bench.claim(10).await.remove(0);
    assert!(bury(log, &first, Exhausted::PauseKey).await);
    assert!(bury(log, &second, Exhausted::PauseKey).await);
    assert_eq!(bench.stats(10).await.paused_keys, 1);
    let redrive = async |id| log.redrive(bench.from, Redrive::Ids(vec![id]), 1).await;
    assert_eq!(redrive(ids[1]).await.unwrap(), 1);
    assert!(
        bench.claim(10).await.is_empty(),
        "the first one stands still"
    );
    assert_eq!(redrive(ids[0]).await.unwrap(), 1);
    assert_eq!(bench.bodies(10).await, ["a1"]);
    assert_eq!(bench.stats(10).await.paused_keys, 0);
}

/// By standing, for one or for all.
pub async fn a_purge_takes_what_it_should(log: &dyn Log) {
    let (bench, other) = (Bench::new(log).await, Bench::of(log, "t"));
    log.subscribe("q", "t").await.unwrap();
    bench.add(&["a1", "a2", "b1", "c1", "d1"]).await;
    let claimed = bench.claim(0).await;
    assert!(bury(log, &claimed[1], Exhausted::Dead).await);
    assert!(bury(log, &claimed[2], Exhausted::PauseKey).await);
    assert!(bench.nack(&claimed[3], 50, Some("e")).await);
    let purge = async |whose, what| log.purge("q", whose, what).await.unwrap();
    assert_eq!(purge(Some("s"), Purge::Waiting).await, 3, "a2, c1, d1");
    let stats = bench.stats(0).await;
    assert_eq!((stats.in_flight, stats.dead, stats.waiting), (1, 1, 0));
    assert_eq!(purge(Some("s"), Purge::Dead).await, 1);
    assert_eq!(bench.size().await.0, 5, "the other one needs them all");
    assert_eq!(other.claim(0).await.len(), 4);
    assert_eq!(purge(None, Purge::All).await, 6, "one of s, five of t");
    assert!(!bench.ack(&claimed[0]).await, "its lease is lost");
    assert_eq!(bench.size().await, (0, 0));
    bench.add(&["a3"]).await;
    assert_eq!(bench.bodies(0).await, ["a3"]);
}

/// And who comes first then gets what comes later.
pub async fn a_purge_takes_what_waits_for_the_first(log: &dyn Log) {
    let bench = Bench::of(log, "s");
    bench.add(&["a1", "-1"]).await;
    let purge = async |whose, what| log.purge("q", whose, what).await.unwrap();
    assert_eq!(purge(None, Purge::Dead).await, 0);
    assert_eq!(purge(Some("s"), Purge::All).await, 0);
    assert_eq!(purge(None, Purge::Waiting).await, 2);
    assert_eq!(bench.size().await, (0, 0));
    bench.add(&["a2"]).await;
    log.subscribe("q", "s").await.unwrap();
    assert_eq!(bench.bodies(0).await, ["a2"]);
}
