//! Messages that are sent twice.

use super::{Bench, WIDE, at, message};
use crate::Log;
use crate::log::{Appended, Bounds, Dedupe, NewMessage};

fn with_id(body: &str, id: &str, until: u64) -> NewMessage {
    let (id, until) = (id.to_owned(), at(until));
    NewMessage {
        dedupe: Some(Dedupe { id, until }),
        ..message(body)
    }
}

fn new(id: u64) -> Appended {
    let duplicate = false;
    Appended { id, duplicate }
}

fn duplicate(id: u64) -> Appended {
    let duplicate = true;
    Appended { id, duplicate }
}

/// In one append or two, done with or not, for each queue on its own.
pub async fn a_repeated_id_is_appended_once(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let messages = || {
        vec![
            with_id("-1", "x", 50),
            with_id("-2", "x", 50),
            message("-3"),
        ]
    };
    let first = bench.append_at(0, messages()).await;
    let (one, three) = (first[0].id, first[2].id);
    assert_eq!(first, [new(one), duplicate(one), new(three)]);
    assert!(three > one);
    for delivery in bench.claim(1).await {
        assert!(bench.ack(&delivery).await);
    }
    let again = bench.append_at(49, messages()).await;
    assert_eq!(again, [duplicate(one), duplicate(one), new(again[2].id)]);
    assert!(again[2].id > three);
    assert_eq!(bench.bodies(49).await, ["-3"]);
    let other = log.append("other", messages(), WIDE, at(49)).await.unwrap();
    assert!(!other.unwrap()[0].duplicate);
}

/// The window is that of the first one.
pub async fn a_repeated_id_is_new_after_its_window(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let first = bench.append_at(0, vec![with_id("-1", "x", 50)]).await[0].id;
    let later = bench.append_at(40, vec![with_id("-2", "x", 90)]).await;
    assert_eq!(later, [duplicate(first)]);
    let after = bench.append_at(50, vec![with_id("-3", "x", 60)]).await;
    assert_eq!(after, [new(after[0].id)]);
    let within = bench.append_at(59, vec![with_id("-4", "x", 90)]).await;
    assert_eq!(within, [duplicate(after[0].id)]);
    // Enough of them that old ones are forgotten on the way.
    for number in 0..20 {
        let id = format!("{number}");
        let time = 100 + number;
        let one = with_id("-5", &id, time + 1);
        let appended = bench.append_at(time, vec![one.clone(), one]).await;
        assert!(!appended[0].duplicate && appended[1].duplicate, "{number}");
    }
    assert_eq!(bench.size().await.0, 22);
}

/// What is swept away of the old one leaves the new one alone.
pub async fn a_repeated_id_that_is_new_is_remembered(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let older = (0..30).map(|number| with_id("-1", &number.to_string(), 50));
    bench.append_at(0, older.collect()).await;
    bench.append_at(0, vec![with_id("-2", "x", 60)]).await;
    let new = bench.append_at(70, vec![with_id("-3", "x", 500)]).await[0];
    assert!(!new.duplicate);
    for now in 71..100 {
        bench.append_at(now, vec![message("-4")]).await;
    }
    let again = bench.append_at(100, vec![with_id("-5", "x", 500)]).await;
    assert_eq!(again, [duplicate(new.id)]);
}

/// It is there already: there need be no room.
pub async fn a_repeated_id_is_told_in_a_full_queue(log: &dyn Log) {
    let bench = Bench::new(log).await;
    let first = bench.append_at(0, vec![with_id("-1", "x", 50)]).await[0].id;
    let bounds = Bounds {
        messages: 1,
        bytes: 1,
    };
    let again = log.append("q", vec![with_id("-1", "x", 50)], bounds, at(1));
    assert_eq!(again.await.unwrap(), Ok(vec![duplicate(first)]));
    // What is refused is not remembered.
    for now in [2, 3] {
        let other = log.append("q", vec![with_id("-2", "y", 50)], bounds, at(now));
        other.await.unwrap().unwrap_err();
    }
    assert!(!bench.append_at(4, vec![with_id("-2", "y", 50)]).await[0].duplicate);
}
