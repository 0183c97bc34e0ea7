//! What an operator sees.

use super::{ALL, Bench, LEASE, at, body, message};
use crate::Log;
use crate::log::{Exhausted, NewMessage, Peek, Peeked, Standing, SubscriberStats};

/// One message in each standing, and a second one behind two of them.
async fn one_of_each<'a>(log: &'a dyn Log) -> Bench<'a> {
    let bench = Bench::new(log).await;
    bench.add(&["f1", "r1", "x1", "p1", "p2", "r2"]).await;
    let claimed = bench.claim(0).await;
    assert_eq!(claimed.len(), 4);
    assert!(bench.nack(&claimed[1], 50, Some("retry")).await);
    for (at, how) in [(2, Exhausted::Dead), (3, Exhausted::PauseKey)] {
        let receipt = claimed[at].receipt.clone();
        let error = format!("{} is bad", body(&claimed[at]));
        assert!(log.bury(receipt, error, how).await.unwrap());
    }
    let later = NewMessage {
        due: Some(at(90)),
        ..message("d1")
    };
    bench.append_at(5, vec![later, message("w1")]).await;
    bench
}

/// As it is at the time of asking.
pub async fn the_standing_is_counted(log: &dyn Log) {
    let bench = one_of_each(log).await;
    let expected = SubscriberStats {
        name: "s".to_owned(),
        waiting: 3,
        in_flight: 1,
        delayed: 1,
        retrying: 1,
        dead: 1,
        paused_keys: 1,
        oldest: Some(at(0)),
    };
    assert_eq!(bench.stats(10).await, expected);
    let expected = SubscriberStats {
        waiting: 5,
        delayed: 0,
        retrying: 0,
        ..expected
    };
    assert_eq!(bench.stats(90).await, expected);
    let expected = SubscriberStats {
        waiting: 6,
        in_flight: 0,
        ..expected
    };
    assert_eq!(bench.stats(LEASE).await, expected);
    assert_eq!(bench.size().await, (8, 8 * 3));
    log.purge("q", None, crate::log::Purge::Waiting)
        .await
        .unwrap();
    assert_eq!(
        bench.stats(LEASE).await.oldest,
        None,
        "only a dead letter is left"
    );
    assert_eq!(bench.stats(LEASE).await.dead, 1);
}

/// Also what waits for the first subscriber.
pub async fn a_peek_shows_everything_and_takes_nothing(log: &dyn Log) {
    let bench = one_of_each(log).await;
    let told = |peeked: &Peeked| {
        assert_eq!(peeked.subscriber.as_deref(), Some("s"));
        let text = String::from_utf8_lossy(&peeked.body).into_owned();
        assert_eq!(peeked.key.as_deref(), text.get(..1));
        assert_eq!(peeked.size, 2);
        (text, peeked.standing, peeked.attempts, peeked.due)
    };
    let all = bench.peek(10).await;
    let one = |text: &str, standing, attempts, due| (text.to_owned(), standing, attempts, at(due));
    let expected = [
        one("f1", Standing::InFlight, 0, LEASE),
        one("r1", Standing::Retrying, 1, 50),
        one("x1", Standing::Dead, 1, 0),
        one("p1", Standing::Paused, 1, 0),
        one("p2", Standing::Waiting, 0, 0),
        one("r2", Standing::Waiting, 0, 0),
        one("d1", Standing::Delayed, 0, 90),
        one("w1", Standing::Waiting, 0, 5),
    ];
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), expected);
    let errors: Vec<_> = all.iter().map(|one| one.last_error.as_deref()).collect();
    let failed = [None, Some("retry"), Some("x1 is bad"), Some("p1 is bad")];
    assert_eq!(errors[..4], failed);
    assert_eq!(all[7].enqueued, at(5));
    assert_eq!(bench.bodies(10).await, ["w1"], "nothing was taken");
    let messages = vec![message("-1")];
    log.append("r", messages, super::WIDE, at(0))
        .await
        .unwrap()
        .unwrap();
    let unclaimed = log.peek("r", ALL, at(0)).await.unwrap();
    assert_eq!(unclaimed[0].subscriber, None);
    assert_eq!(unclaimed[0].standing, Standing::Waiting);
}

/// By subscriber, by standing, from a number on.
pub async fn a_peek_comes_in_pages(log: &dyn Log) {
    let bench = one_of_each(log).await;
    log.subscribe("q", "t").await.unwrap();
    bench.add(&["z1", "z2"]).await;
    let peek = async |what: Peek<'static>| log.peek("q", what, at(10)).await.unwrap();
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = peek(Peek {
            after,
            most: 3,
            ..ALL
        })
        .await;
        let Some(last) = page.last() else { break };
        after = last.id;
        seen.extend(page.into_iter().map(|one| (one.id, one.subscriber)));
    }
    assert_eq!(seen.len(), 12, "two of them for two subscribers");
    assert!(seen.is_sorted());
    seen.dedup();
    assert_eq!(seen.len(), 12, "each once");
    let standing = Some(Standing::Waiting);
    let waiting = peek(Peek {
        standing,
        most: 4,
        ..ALL
    })
    .await;
    let bodies: Vec<_> = waiting.iter().map(|one| &one.body[..]).collect();
    assert_eq!(bodies, [b"p2", b"r2", b"w1", b"z1", b"z1"]);
    let subscriber = Some("t");
    let theirs = peek(Peek {
        subscriber,
        body: 1,
        ..ALL
    })
    .await;
    assert_eq!(theirs.len(), 2);
    assert_eq!(theirs[0].body, b"z");
    let standing = Some(Standing::Dead);
    assert!(
        peek(Peek {
            subscriber,
            standing,
            ..ALL
        })
        .await
        .is_empty()
    );
    let dead = peek(Peek { standing, ..ALL }).await;
    assert_eq!(
        dead.iter().map(|one| &one.body[..]).collect::<Vec<_>>(),
        [b"x1"]
    );
}
