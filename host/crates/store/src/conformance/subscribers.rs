//! Several who listen to one queue.

use super::{Bench, WIDE, at, body, message};
use crate::Log;
use crate::log::{Peek, QueueStats, Subscription};

/// A message goes when the last one is done with it.
pub async fn each_subscriber_has_its_own_cursor(log: &dyn Log) {
    let (one, two) = (Bench::new(log).await, Bench::of(log, "t"));
    log.subscribe("q", "t").await.unwrap();
    one.add(&["a1", "a2", "-1"]).await;
    let first = one.claim(0).await;
    let second = two.claim(0).await;
    for claimed in [&first, &second] {
        let bodies: Vec<_> = claimed.iter().map(body).collect();
        assert_eq!(bodies, ["a1", "-1"]);
    }
    assert!(one.ack(&first[0]).await);
    assert!(one.nack(&first[1], 50, Some("mine")).await);
    assert_eq!(one.size().await.0, 3, "the other one needs it");
    assert_eq!(one.bodies(0).await, ["a2"], "but does not hold it back");
    assert!(two.claim(0).await.is_empty());
    assert!(two.nack(&second[1], 0, None).await);
    let again = two.claim(0).await.remove(0);
    assert_eq!((again.attempts, &again.last_error), (0, &None));
    assert!(two.ack(&second[0]).await);
    assert_eq!(one.size().await.0, 2, "both are done with a1");
    let mut foreign = again.receipt.clone();
    foreign.subscriber = "s".into();
    assert!(!log.ack(foreign).await.unwrap());
    assert!(two.ack(&again).await);
    assert_eq!(one.bodies(50).await, ["-1"]);
}

/// Later ones get what comes from now on; to subscribe again changes nothing.
pub async fn the_first_subscriber_gets_all(log: &dyn Log) {
    let (one, two) = (Bench::of(log, "s"), Bench::of(log, "t"));
    one.add(&["-1", "-2"]).await;
    assert!(one.claim(0).await.is_empty(), "it has not subscribed");
    assert_eq!(one.size().await.0, 2);
    log.subscribe("q", "s").await.unwrap();
    log.subscribe("q", "t").await.unwrap();
    assert!(two.claim(0).await.is_empty());
    one.add(&["-3"]).await;
    assert_eq!(two.bodies(0).await, ["-3"]);
    let claimed = one.claim(0).await;
    assert_eq!(
        claimed.iter().map(body).collect::<Vec<_>>(),
        ["-1", "-2", "-3"]
    );
    assert!(one.ack(&claimed[0]).await);
    log.subscribe("q", "s").await.unwrap();
    log.subscribe("q", "t").await.unwrap();
    assert!(one.claim(0).await.is_empty());
    assert!(one.ack(&claimed[1]).await, "leases stay");
    assert_eq!(one.size().await.0, 1);
    assert_eq!(log.subscribers("q").await.unwrap(), ["s", "t"]);
    assert_eq!(log.queues().await.unwrap(), ["q"]);
}

/// What others need stays; who comes back begins anew.
pub async fn a_subscriber_that_goes_frees_its_messages(log: &dyn Log) {
    let (one, two) = (Bench::new(log).await, Bench::of(log, "t"));
    one.add(&["a1", "-1"]).await;
    log.subscribe("q", "t").await.unwrap();
    one.add(&["-2"]).await;
    let claimed = one.claim(0).await;
    assert!(one.nack(&claimed[2], 0, Some("e")).await);
    log.unsubscribe("q", "s").await.unwrap();
    log.unsubscribe("q", "s").await.unwrap();
    assert_eq!(one.size().await, (1, 2));
    assert!(!one.ack(&claimed[0]).await);
    assert!(one.claim(0).await.is_empty());
    log.subscribe("q", "s").await.unwrap();
    assert!(
        one.claim(0).await.is_empty(),
        "it is not the first any more"
    );
    let last = two.claim(0).await;
    assert_eq!(last.iter().map(body).collect::<Vec<_>>(), ["-2"]);
    assert!(two.ack(&last[0]).await);
    assert_eq!(one.size().await, (0, 0));
    for gone in ["s", "t"] {
        log.unsubscribe("q", gone).await.unwrap();
    }
    one.add(&["-3"]).await;
    log.subscribe("q", "t").await.unwrap();
    assert_eq!(two.bodies(0).await, ["-3"], "it is the first again");
}

/// A queue or a subscriber that nobody made.
pub async fn what_is_not_there_is_empty(log: &dyn Log) {
    let bench = Bench::of(log, "s");
    let mut watch = log.watch("q");
    assert!(bench.claim(0).await.is_empty());
    assert_eq!(bench.next_due().await, None);
    assert!(bench.peek(0).await.is_empty());
    assert_eq!(log.stats("q", at(0)).await.unwrap(), QueueStats::default());
    log.unsubscribe("q", "s").await.unwrap();
    let purged = log.purge("q", None, crate::log::Purge::All).await.unwrap();
    let redriven = log.redrive(bench.from, crate::log::Redrive::All, 9).await;
    assert_eq!((purged, redriven.unwrap()), (0, 0));
    assert_eq!(log.queues().await.unwrap(), [""; 0], "looking makes none");
    assert_eq!(log.subscribers("q").await.unwrap(), [""; 0]);
    watch.mark_unchanged();
    log.append("q", vec![message("-1")], WIDE, at(0))
        .await
        .unwrap()
        .unwrap();
    assert!(watch.has_changed().unwrap(), "who watched before is told");
    assert_eq!(log.queues().await.unwrap(), ["q"]);
    let other = Subscription {
        queue: "q",
        subscriber: "t",
    };
    assert_eq!(log.next_due(other).await.unwrap(), None);
    let whose = Peek {
        subscriber: Some("t"),
        ..super::ALL
    };
    assert!(log.peek("q", whose, at(0)).await.unwrap().is_empty());
}
