//! How much fits.

use super::{Bench, WIDE, at, message};
use crate::log::{Bound, Bounds, Full, MAX_BODY, MAX_ERROR, MAX_KEY, MAX_NAME, NewMessage};
use crate::{Log, StoreError};

/// All or nothing, and there is room again when something is done.
pub async fn a_full_queue_takes_nothing(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let bounds = |messages, bytes| Bounds { messages, bytes };
    let append = async |bodies: &[&str], bounds| {
        let messages = bodies.iter().map(|body| message(body)).collect();
        log.append("q", messages, bounds, at(0)).await.unwrap()
    };
    let full = |bound, limit, there| {
        Err(Full {
            bound,
            limit,
            there,
        })
    };
    // A body of two bytes, and perhaps a key of one.
    append(&["-1", "a1"], bounds(2, 5)).await.unwrap();
    let refused = append(&["-2"], bounds(2, 1000)).await;
    assert_eq!(refused, full(Bound::Messages, 2, 2));
    let refused = append(&["-2", "-3"], bounds(3, 1000)).await;
    assert_eq!(refused, full(Bound::Messages, 3, 2));
    let refused = append(&["b1"], bounds(9, 7)).await;
    assert_eq!(refused, full(Bound::Bytes, 7, 5));
    assert_eq!(bench.size().await, (2, 5));
    let claimed = bench.claim(0).await;
    assert_eq!(claimed.len(), 2, "nothing else was appended");
    append(&["-2"], bounds(2, 1000)).await.unwrap_err();
    assert!(bench.ack(&claimed[1]).await);
    assert_eq!(bench.size().await, (1, 2));
    append(&["b1"], bounds(2, 5)).await.unwrap();
    assert_eq!(bench.bodies(0).await, ["b1"]);
    assert_eq!(append(&[], bounds(0, 0)).await, Ok(Vec::new()));
}

/// Whatever its length, and whatever is in it.
pub async fn a_body_is_what_was_appended(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let lengths = [
        0,
        1,
        15 << 10,
        (16 << 10) - 22,
        16 << 10,
        40 << 10,
        MAX_BODY,
    ];
    let keys = [None, Some("k".to_owned()), Some("\0é/".repeat(MAX_KEY / 4))];
    let bodies = lengths.map(|len| (0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    for body in &bodies {
        for key in &keys {
            let message = NewMessage {
                key: key.clone(),
                body: body.clone(),
                ..NewMessage::default()
            };
            bench.append(vec![message]).await;
            let claimed = bench.claim(0).await;
            assert_eq!(claimed.len(), 1);
            assert!(claimed[0].body == *body, "{} bytes", body.len());
            assert_eq!(claimed[0].key, *key);
            let peeked = bench.peek(0).await.remove(0);
            assert_eq!(peeked.size, body.len() as u64);
            assert_eq!(peeked.body, body[..body.len().min(100)]);
            assert!(bench.ack(&claimed[0]).await);
        }
    }
    assert_eq!(bench.size().await, (0, 0));
}

/// And nothing of it is kept; of an error, the start is.
pub async fn what_is_too_long_is_refused(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let long = |key: usize, body: usize| NewMessage {
        key: Some("k".repeat(key)),
        body: vec![0; body],
        ..NewMessage::default()
    };
    for (message, expected) in [
        (long(1, MAX_BODY + 1), MAX_BODY),
        (long(MAX_KEY + 1, 1), MAX_KEY),
    ] {
        let messages = vec![super::message("-1"), message];
        let refused = log.append("q", messages, WIDE, at(0)).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { limit }) if limit == expected));
    }
    assert_eq!(bench.size().await, (0, 0));
    bench.append(vec![long(MAX_KEY, 1)]).await;
    let claimed = bench.claim(0).await.remove(0);
    bench.nack(&claimed, 0, Some(&"é".repeat(MAX_ERROR))).await;
    let error = bench.claim(0).await.remove(0).last_error.unwrap();
    assert_eq!(error, "é".repeat(MAX_ERROR / 2));
}

/// Of queues and of subscribers.
pub async fn a_name_that_can_not_be_one_is_refused(log: &dyn Log) {
    let long = "x".repeat(MAX_NAME + 1);
    for name in ["", "a\0b", "a\nb", &long] {
        let bad = |result| matches!(result, Err(StoreError::BadName { .. }));
        let append = log.append(name, vec![message("-1")], WIDE, at(0)).await;
        assert!(bad(append.map(drop)), "{name:?}");
        assert!(bad(log.subscribe(name, "s").await), "{name:?}");
        assert!(bad(log.subscribe("q", name).await), "{name:?}");
    }
    assert_eq!(log.queues().await.unwrap(), [""; 0]);
    let good = ["stoa:shop/orders@1.0.0", &"x".repeat(MAX_NAME)];
    for name in good {
        log.subscribe(name, name).await.unwrap();
    }
    assert_eq!(log.queues().await.unwrap(), good);
}
