//! What holds whatever fails.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::{WIDE, at, message};
use crate::Log;
use crate::log::{Again, Appended, Dedupe, Delivery, Exhausted, NewMessage, Redrive, Subscription};

const MESSAGES: u64 = 150;
const KEYS: [&str; 4] = ["a", "b", "c", "-"];
/// Rounds after which everything should have been delivered, however much failed.
const ROUNDS: u64 = 20_000;
const FROM: Subscription<'static> = Subscription {
    queue: "q",
    subscriber: "s",
};

/// What a consumer saw.
#[derive(Default)]
struct Seen {
    delivered: BTreeSet<u64>,
    /// By key, in the order of their first deliveries.
    order: BTreeMap<String, Vec<u64>>,
    /// What was said to be done.
    done: BTreeSet<u64>,
}

/// Every message comes, those of a key in their order, and none after it was said to be
/// done; whatever replies say, and whatever becomes of who claimed one. For logs that
/// fail by chance, too.
///
/// # Panics
/// Where it does not hold.
pub async fn everything_is_delivered_in_order(log: &dyn Log, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    while log.subscribe("q", "s").await.is_err() {}
    let mut seen = Seen::default();
    let mut appended = BTreeMap::<&str, Vec<u64>>::new();
    let mut sent = 0;
    for now in 0..ROUNDS {
        if sent < MESSAGES && rng.bool() {
            let key = KEYS[rng.usize(..KEYS.len())];
            let id = append(log, &format!("{key}{sent}"), now).await.id;
            appended.entry(key).or_default().push(id);
            sent += 1;
        }
        consume(log, &mut rng, &mut seen, now).await;
        if sent == MESSAGES && is_empty(log, now).await {
            check(&appended, &seen);
            return;
        }
    }
    panic!("seed {seed}: not everything was delivered in {ROUNDS} rounds");
}

/// Sends a message until it is there, as a sender does: with an id.
async fn append(log: &dyn Log, body: &str, now: u64) -> Appended {
    let message = NewMessage {
        dedupe: Some(Dedupe {
            id: body.to_owned(),
            until: at(2 * ROUNDS),
        }),
        ..message(body)
    };
    loop {
        let appended = log.append("q", vec![message.clone()], WIDE, at(now));
        if let Ok(appended) = appended.await {
            return appended.unwrap()[0];
        }
    }
}

async fn consume(log: &dyn Log, rng: &mut Rng, seen: &mut Seen, now: u64) {
    if rng.u8(..) < 16 {
        // What failed too often is given all its attempts again.
        drop(log.redrive(FROM, Redrive::All, 3).await);
    }
    let (most, until) = (rng.usize(1..6), at(now + rng.u64(1..8)));
    let claimed = log.claim(FROM, most, at(now), until).await;
    let claimed = claimed.unwrap_or_default();
    for delivery in &claimed {
        assert!(!seen.done.contains(&delivery.id), "{delivery:?} was done");
        if seen.delivered.insert(delivery.id) {
            let key = delivery.key.clone().unwrap_or_default();
            seen.order.entry(key).or_default().push(delivery.id);
        }
    }
    for delivery in claimed {
        if settle(log, rng, &delivery, now).await {
            seen.done.insert(delivery.id);
        }
    }
}

/// Whether it was said to be done.
async fn settle(log: &dyn Log, rng: &mut Rng, delivery: &Delivery, now: u64) -> bool {
    let receipt = delivery.receipt.clone();
    let how = [Exhausted::Dead, Exhausted::PauseKey][rng.usize(..2)];
    match rng.u8(..8) {
        // It dies with what it had.
        0 => {}
        1 => drop(log.bury(receipt, "bad".to_owned(), how).await),
        2 | 3 => {
            let due = at(now + rng.u64(..5));
            let attempt = rng.bool().then(|| "failed".to_owned());
            drop(log.nack(receipt, Again { due, attempt }).await);
        }
        _ => return matches!(log.ack(receipt).await, Ok(true)),
    }
    false
}

async fn is_empty(log: &dyn Log, now: u64) -> bool {
    let stats = log.stats("q", at(now)).await;
    stats.is_ok_and(|stats| stats.messages == 0)
}

fn check(appended: &BTreeMap<&str, Vec<u64>>, seen: &Seen) {
    for (key, ids) in appended {
        if *key == "-" {
            let missing = ids.iter().filter(|id| !seen.delivered.contains(id));
            assert_eq!(missing.count(), 0);
        } else {
            assert_eq!(seen.order.get(*key), Some(ids), "the order of {key}");
        }
    }
}
