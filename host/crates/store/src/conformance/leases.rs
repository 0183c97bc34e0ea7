//! Who has a message, and for how long.

use super::{Bench, at, body, message};
use crate::Log;
use crate::log::{Exhausted, NewMessage, Redrive};

/// What a host that died had is somebody else's.
pub async fn a_lease_that_ends_is_lost_to_the_next(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1", "a2"]).await;
    let first = bench.claim_for(0, 10).await.remove(0);
    assert!(bench.claim(9).await.is_empty());
    assert_eq!(bench.next_due().await, Some(at(10)));
    let second = bench.claim_for(10, 20).await.remove(0);
    assert_eq!((body(&second), second.attempts), ("a1".to_owned(), 0));
    assert!(!log.extend(&first.receipt, at(30)).await.unwrap());
    assert!(!bench.nack(&first, 0, Some("late")).await);
    let error = "late".to_owned();
    let buried = log.bury(first.receipt.clone(), error, Exhausted::Dead);
    assert!(!buried.await.unwrap());
    assert!(!bench.ack(&first).await);
    assert!(bench.ack(&second).await, "who lost it did no harm");
    assert_eq!(bench.bodies(10).await, ["a2"]);
}

/// Better late than twice.
pub async fn a_lease_that_ended_holds_until_the_next(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1", "-1", "b1"]).await;
    let claimed = bench.claim_for(0, 10).await;
    assert_eq!(bench.stats(20).await.waiting, 3);
    assert!(bench.ack(&claimed[0]).await);
    assert!(bench.nack(&claimed[1], 40, Some("slow")).await);
    assert!(log.extend(&claimed[2].receipt, at(30)).await.unwrap());
    assert!(bench.claim(20).await.is_empty());
    assert_eq!(bench.bodies(30).await, ["b1"]);
    assert_eq!(bench.bodies(40).await, ["-1"]);
}

/// And no shorter.
pub async fn a_lease_is_kept_as_long_as_it_is_extended(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1"]).await;
    let claimed = bench.claim_for(0, 10).await.remove(0);
    assert!(log.extend(&claimed.receipt, at(20)).await.unwrap());
    assert!(bench.claim(10).await.is_empty());
    assert!(log.extend(&claimed.receipt, at(15)).await.unwrap());
    assert_eq!(bench.next_due().await, Some(at(20)));
    assert!(bench.claim(19).await.is_empty());
    assert_eq!(bench.bodies(20).await, ["a1"]);
    assert!(!log.extend(&claimed.receipt, at(40)).await.unwrap());
}

/// One in flight a key holds for leases that come back, too.
pub async fn a_lease_is_not_extended_beside_another_of_its_key(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let delayed = NewMessage {
        due: Some(at(10)),
        ..message("a1")
    };
    bench.append(vec![delayed, message("a2")]).await;
    let second = bench.claim_for(0, 10).await.remove(0);
    let first = bench.claim_for(10, 20).await.remove(0);
    assert_eq!((body(&first), body(&second)), ("a1".into(), "a2".into()));
    assert!(!log.extend(&second.receipt, at(30)).await.unwrap());
    assert!(bench.ack(&first).await);
    assert!(log.extend(&second.receipt, at(30)).await.unwrap());
    assert!(bench.claim(10).await.is_empty(), "it is in flight again");
    assert!(bench.ack(&second).await);
}

/// What became of a message is said once.
pub async fn a_receipt_is_good_once(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let ids = bench.add(&["-1", "-2", "-3"]).await;
    let claimed = bench.claim(0).await;
    assert!(bench.ack(&claimed[0]).await);
    assert!(bench.nack(&claimed[1], 0, None).await);
    let bury = |receipt| log.bury(receipt, "e".to_owned(), Exhausted::Dead);
    assert!(bury(claimed[2].receipt.clone()).await.unwrap());
    log.redrive(bench.from, Redrive::Ids(vec![ids[2]]), 1)
        .await
        .unwrap();
    for delivery in &claimed {
        assert!(!bench.ack(delivery).await, "{delivery:?}");
        assert!(!bench.nack(delivery, 0, None).await, "{delivery:?}");
        assert!(!log.extend(&delivery.receipt, at(9)).await.unwrap());
        assert!(!bury(delivery.receipt.clone()).await.unwrap());
    }
    assert_eq!(bench.bodies(0).await, ["-2", "-3"]);
}

/// Nobody has to ask again and again.
pub async fn it_is_told_when_something_comes(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let mut watch = log.watch("q");
    let mut changed = || {
        let changed = watch.has_changed().unwrap();
        watch.mark_unchanged();
        changed
    };
    assert!(!changed(), "nothing happened");
    bench.add(&["a1", "a2"]).await;
    assert!(changed(), "messages came");
    assert!(bench.next_due().await.is_some_and(|due| due <= at(0)));
    let first = bench.claim_for(0, 9).await.remove(0);
    assert!(!changed(), "what was claimed is no news");
    assert_eq!(bench.next_due().await, Some(at(9)), "its lease ends");
    assert!(bench.nack(&first, 5, None).await);
    assert!(changed(), "it is due before its lease would have ended");
    assert_eq!(bench.next_due().await, Some(at(5)));
    let first = bench.claim(5).await.remove(0);
    assert!(bench.ack(&first).await);
    assert!(changed(), "the next one of its key can be claimed");
    let second = bench.claim(5).await.remove(0);
    let ids = vec![second.id];
    let buried = log.bury(second.receipt, "e".to_owned(), Exhausted::PauseKey);
    assert!(buried.await.unwrap());
    assert_eq!(bench.next_due().await, None, "nothing comes by itself");
    changed();
    let redriven = log.redrive(bench.from, Redrive::Ids(ids), 1).await;
    assert_eq!(redriven.unwrap(), 1);
    assert!(changed(), "it can be claimed again");
    assert!(bench.next_due().await.is_some());
}
