//! What comes after what.

use super::{Bench, LEASE, at, body, message};
use crate::Log;
use crate::log::{CLAIM_BYTES, NewMessage};

/// One in flight a key, in the order of their arrival; the rest at once.
pub async fn a_key_is_in_order_and_others_do_not_wait(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let ids = bench.add(&["a1", "a2", "b1", "-1", "-2", "a3"]).await;
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let first = bench.claim(0).await;
    let bodies: Vec<_> = first.iter().map(body).collect();
    assert_eq!(bodies, ["a1", "b1", "-1", "-2"]);
    assert_eq!(first[0].id, ids[0]);
    assert_eq!(first[0].key.as_deref(), Some("a"));
    assert_eq!(first[2].key, None);
    assert_eq!(first[0].enqueued, at(0));
    assert!(bench.claim(1).await.is_empty(), "a2 waits for a1");
    assert!(bench.ack(&first[1]).await);
    assert!(bench.claim(1).await.is_empty(), "of b there is no more");
    assert!(bench.ack(&first[0]).await);
    let second = bench.claim(1).await;
    assert_eq!(second.iter().map(body).collect::<Vec<_>>(), ["a2"]);
    assert!(bench.ack(&second[0]).await);
    assert_eq!(bench.bodies(1).await, ["a3"]);
}

/// In the order of their arrival, too.
pub async fn a_claim_takes_no_more_than_is_asked_for(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1", "-1", "b1", "-2", "c1"]).await;
    let (now, until) = (at(0), at(LEASE));
    let mut seen = Vec::new();
    for most in [2, 0, 2, 2] {
        let claimed = log.claim(bench.from, most, now, until).await.unwrap();
        assert!(claimed.len() <= most);
        seen.extend(claimed.iter().map(body));
    }
    assert_eq!(seen, ["a1", "-1", "b1", "-2", "c1"]);
}

/// What is large comes in portions.
pub async fn a_claim_takes_no_more_than_fits(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let large = |_| NewMessage {
        body: vec![1; CLAIM_BYTES / 5],
        ..NewMessage::default()
    };
    bench.append((0..8).map(large).collect()).await;
    // The sixth one passes the limit.
    assert_eq!(bench.claim(0).await.len(), 6);
    assert_eq!(bench.claim(0).await.len(), 2);
}

/// A message that failed is the next one of its key, and of no other.
pub async fn a_retry_holds_back_its_key_alone(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1", "a2", "b1", "b2", "-1", "-2"]).await;
    let first = bench.claim(0).await;
    assert!(bench.nack(&first[0], 100, Some("it broke")).await);
    assert!(bench.nack(&first[2], 100, Some("it broke")).await);
    assert!(bench.ack(&first[1]).await);
    assert_eq!(bench.bodies(99).await, ["b2"]);
    assert_eq!(bench.next_due().await, Some(at(100)));
    let again = bench.claim(100).await;
    assert_eq!(again.iter().map(body).collect::<Vec<_>>(), ["a1", "-1"]);
    assert_eq!(again[0].attempts, 1);
    assert_eq!(again[0].last_error.as_deref(), Some("it broke"));
    assert!(bench.ack(&again[0]).await);
    let next = bench.claim(100).await;
    assert_eq!(next.iter().map(body).collect::<Vec<_>>(), ["a2"]);
    assert_eq!((next[0].attempts, &next[0].last_error), (0, &None));
}

/// A message given back untouched keeps its count and its last error.
pub async fn what_was_no_attempt_is_not_counted(log: &dyn Log) {
    let bench = Bench::new(log).await;
    bench.add(&["a1"]).await;
    let mut seen = Vec::new();
    for error in [None, Some("one"), None, Some("two")] {
        let claimed = bench.claim(0).await;
        seen.push((claimed[0].attempts, claimed[0].last_error.clone()));
        assert!(bench.nack(&claimed[0], 0, error).await);
    }
    let last = bench.claim(0).await.remove(0);
    seen.push((last.attempts, last.last_error));
    let error = |text: &str| Some(text.to_owned());
    let expected = [
        (0, None),
        (0, None),
        (1, error("one")),
        (1, error("one")),
        (2, error("two")),
    ];
    assert_eq!(seen, expected);
}

/// It takes its place in its key when its time has come.
pub async fn a_delay_holds_back_nothing(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let delayed = |body: &str| NewMessage {
        due: Some(at(100)),
        ..message(body)
    };
    let messages = vec![delayed("a1"), message("a2"), delayed("-1"), message("a3")];
    bench.append(messages).await;
    let early = bench.claim(0).await;
    assert_eq!(early.iter().map(body).collect::<Vec<_>>(), ["a2"]);
    assert_eq!(bench.bodies(99).await, [""; 0], "a2 is in flight");
    assert_eq!(bench.bodies(100).await, ["-1"], "and still is");
    assert!(bench.ack(&early[0]).await);
    let late = bench.claim(100).await;
    assert_eq!(late.iter().map(body).collect::<Vec<_>>(), ["a1"]);
    assert_eq!((late[0].attempts, late[0].enqueued), (0, at(0)));
    assert!(bench.ack(&late[0]).await);
    assert_eq!(bench.bodies(100).await, ["a3"]);
}

/// A change begins with its call.
pub async fn a_dropped_reply_takes_nothing_back(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let messages = vec![message("a1"), message("a2"), message("a3")];
    drop(log.append("q", messages, super::WIDE, at(0)));
    let first = bench.claim(0).await.remove(0);
    drop(log.ack(first.receipt));
    let second = bench.claim(0).await.remove(0);
    assert_eq!(body(&second), "a2");
    drop(log.bury(
        second.receipt,
        "error".to_owned(),
        crate::log::Exhausted::Dead,
    ));
    assert_eq!(bench.bodies(0).await, ["a3"]);
}
