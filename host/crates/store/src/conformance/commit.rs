//! What every engine of [`Commit`] promises, as tests that each engine runs.
//!
//! [`commit_conformance!`](crate::commit_conformance) makes a test of each check.

use std::sync::Arc;

use super::{LEASE, Mortal, WIDE, at, body, message};
use crate::log::{Bound, Bounds, Dedupe, Full, MAX_BODY, MAX_KEY, NewMessage, Subscription};
use crate::{Append, BucketId, Commit, Current, Log, StoreError, Swap, Uncommitted};

/// Makes a test of each check, for the engine that a function returns: a
/// [`Mortal`](crate::conformance::Mortal).
#[macro_export]
macro_rules! commit_conformance {
    ($fresh:path) => {
        $crate::commit_conformance! {
            $fresh: tokio::test:
            a_write_and_its_messages_are_there_together
            a_commit_without_messages_is_a_swap
            what_is_stale_leaves_nothing
            what_does_not_fit_leaves_nothing
            what_can_not_be_leaves_nothing
            a_repeated_id_is_committed_once
            it_is_told_when_something_was_committed
        }
        $crate::commit_conformance! {
            $fresh: tokio::test(flavor = "multi_thread", worker_threads = 4):
            of_commits_that_want_the_same_each_happens_once
        }
    };
    ($fresh:path: $test:meta: $($check:ident)*) => {$(
        #[$test]
        async fn $check() {
            $crate::conformance::commit::$check($fresh()).await;
        }
    )*};
}

const NOTHING: [&str; 0] = [];

fn bucket() -> BucketId {
    BucketId::new("order", "orders").unwrap()
}

fn swap<'a>(bucket: &'a BucketId, expected: Option<&'a [u8]>, new: &'a [u8]) -> Swap<'a> {
    Swap {
        bucket,
        key: "order",
        expected,
        new,
    }
}

fn append(queue: &str, body: &str) -> Append {
    Append {
        queue: queue.to_owned(),
        message: message(body),
        bounds: WIDE,
    }
}

/// One that waits for no other, so that one claim gives all of them.
fn keyless(queue: &str, body: &str) -> Append {
    let mut append = append(queue, body);
    append.message.key = None;
    append
}

async fn value(engine: &impl Mortal) -> Option<Vec<u8>> {
    let keyvalue = engine.keyvalue();
    keyvalue.get(&bucket(), "order").await.unwrap()
}

/// All bodies of a queue that are in no flight.
async fn claimed(log: &dyn Log, queue: &str) -> Vec<String> {
    log.subscribe(queue, "s").await.unwrap();
    let from = Subscription {
        queue,
        subscriber: "s",
    };
    let taken = log.claim(from, 1000, at(0), at(LEASE)).await.unwrap();
    taken.iter().map(body).collect()
}

/// Nothing was changed by a commit that wanted another value and messages for these.
async fn assert_nothing(engine: &impl Mortal, queues: &[&str]) {
    assert_eq!(value(engine).await, None);
    for queue in queues {
        assert_eq!(claimed(&*engine.log(), queue).await, NOTHING, "{queue}");
    }
}

/// At once and after a crash, in the order of the messages; large or small.
pub async fn a_write_and_its_messages_are_there_together(mut engine: impl Mortal) {
    let (bucket, large) = (bucket(), vec![b'-'; 70_000]);
    let text = String::from_utf8_lossy(&large).into_owned();
    let appends = vec![append("b", "-1"), append("a", &text), append("b", "-2")];
    let commits = engine.commits();
    let done = commits.commit(swap(&bucket, None, &large), appends, at(0));
    done.await.unwrap().unwrap();
    drop(commits);
    for _ in 0..2 {
        assert_eq!(value(&engine).await.as_deref(), Some(&large[..]));
        assert_eq!(claimed(&*engine.log(), "a").await, [text.as_str()]);
        assert_eq!(claimed(&*engine.log(), "b").await, ["-1", "-2"]);
        engine.crash();
    }
}

/// And what is written is what a plain swap finds.
pub async fn a_commit_without_messages_is_a_swap(engine: impl Mortal) {
    let (bucket, commits, keyvalue) = (bucket(), engine.commits(), engine.keyvalue());
    let done = commits.commit(swap(&bucket, None, b"1"), Vec::new(), at(0));
    done.await.unwrap().unwrap();
    let swapped = keyvalue.compare_and_swap(&bucket, "order", Some(b"1"), b"2");
    swapped.await.unwrap().unwrap();
    let done = commits.commit(swap(&bucket, Some(b"2"), b"3"), Vec::new(), at(0));
    done.await.unwrap().unwrap();
    assert_eq!(value(&engine).await.as_deref(), Some(&b"3"[..]));
    assert_eq!(engine.log().queues().await.unwrap(), NOTHING);
}

/// And says what is there.
pub async fn what_is_stale_leaves_nothing(engine: impl Mortal) {
    let (bucket, commits, keyvalue) = (bucket(), engine.commits(), engine.keyvalue());
    let stale = commits.commit(
        swap(&bucket, Some(b"x"), b"1"),
        vec![append("q", "-1")],
        at(0),
    );
    let stale = stale.await.unwrap();
    assert_eq!(stale, Err(Uncommitted::Stale(Current(None))));
    assert_nothing(&engine, &["q"]).await;
    keyvalue.set(&bucket, "order", b"y").await.unwrap();
    for expected in [None, Some(&b"x"[..])] {
        let stale = commits.commit(
            swap(&bucket, expected, b"1"),
            vec![append("q", "-1")],
            at(0),
        );
        let current = Current(Some(b"y".to_vec()));
        assert_eq!(stale.await.unwrap(), Err(Uncommitted::Stale(current)));
    }
    assert_eq!(value(&engine).await.as_deref(), Some(&b"y"[..]));
    assert_eq!(claimed(&*engine.log(), "q").await, NOTHING);
}

/// In none of the queues; of several bounds for one, the first counts.
pub async fn what_does_not_fit_leaves_nothing(engine: impl Mortal) {
    let (bucket, commits) = (bucket(), engine.commits());
    let two = Bounds {
        messages: 2,
        ..WIDE
    };
    let bounded = |body| Append {
        bounds: two,
        ..append("n", body)
    };
    let appends = vec![
        append("a", "-1"),
        bounded("-1"),
        append("z", "-1"),
        append("n", "-2"),
        append("n", "-3"),
    ];
    let full = commits.commit(swap(&bucket, None, b"1"), appends.clone(), at(0));
    let expected = Uncommitted::Full {
        queue: "n".to_owned(),
        full: Full {
            bound: Bound::Messages,
            limit: 2,
            there: 0,
        },
    };
    assert_eq!(full.await.unwrap(), Err(expected));
    assert_nothing(&engine, &["a", "n", "z"]).await;
    let done = commits.commit(swap(&bucket, None, b"1"), appends[..4].to_vec(), at(0));
    done.await.unwrap().unwrap();
    assert_eq!(claimed(&*engine.log(), "a").await, ["-1"]);
    assert_eq!(claimed(&*engine.log(), "n").await, ["-1", "-2"]);
}

/// Bodies and keys that are too long, and names that are none.
pub async fn what_can_not_be_leaves_nothing(engine: impl Mortal) {
    let (bucket, commits) = (bucket(), engine.commits());
    let with = |message| Append {
        message,
        ..append("n", "")
    };
    let body = with(NewMessage {
        body: vec![0; MAX_BODY + 1],
        ..NewMessage::default()
    });
    let key = with(NewMessage {
        key: Some("k".repeat(MAX_KEY + 1)),
        ..NewMessage::default()
    });
    for bad in [body, key, append("", "-1"), append("a\n", "-1")] {
        let appends = vec![append("a", "-1"), bad, append("z", "-1")];
        let refused = commits.commit(swap(&bucket, None, b"1"), appends, at(0));
        let refused = refused.await.unwrap_err();
        assert!(
            matches!(
                refused,
                StoreError::TooLarge { .. } | StoreError::BadName { .. }
            ),
            "{refused}"
        );
    }
    let (key, large) = (
        "k".repeat(crate::MAX_KEY + 1),
        vec![0; crate::MAX_VALUE + 1],
    );
    let (mut long, huge) = (swap(&bucket, None, b"1"), swap(&bucket, None, &large));
    long.key = &key;
    for swap in [long, huge] {
        let refused = commits.commit(swap, vec![append("a", "-1")], at(0)).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    }
    assert_nothing(&engine, &["a", "n", "z"]).await;
}

/// The write is made all the same: what was sent before is on its way.
pub async fn a_repeated_id_is_committed_once(engine: impl Mortal) {
    let (bucket, commits) = (bucket(), engine.commits());
    let mut append = append("q", "-1");
    append.message.dedupe = Some(Dedupe {
        id: "once".to_owned(),
        until: at(100),
    });
    for (expected, new) in [(None, b"1"), (Some(&b"1"[..]), b"2")] {
        let appends = vec![append.clone(); 2];
        let done = commits.commit(swap(&bucket, expected, new), appends, at(0));
        done.await.unwrap().unwrap();
    }
    assert_eq!(value(&engine).await.as_deref(), Some(&b"2"[..]));
    assert_eq!(claimed(&*engine.log(), "q").await, ["-1"]);
}

/// As of an append; and of nothing, when nothing was.
pub async fn it_is_told_when_something_was_committed(engine: impl Mortal) {
    let (bucket, commits, log) = (bucket(), engine.commits(), engine.log());
    log.subscribe("q", "s").await.unwrap();
    let mut watch = log.watch("q");
    watch.mark_unchanged();
    for (expected, told) in [(Some(&b"x"[..]), false), (None, true)] {
        let swap = swap(&bucket, expected, b"1");
        let done = commits.commit(swap, vec![append("q", "-1")], at(0));
        assert_eq!(done.await.unwrap().is_ok(), told);
        assert_eq!(watch.has_changed().unwrap(), told);
    }
}

/// And their messages are in their order, in each queue.
pub async fn of_commits_that_want_the_same_each_happens_once(engine: impl Mortal) {
    let tasks = (0..8).map(|_| {
        let (commits, keyvalue) = (engine.commits(), engine.keyvalue());
        tokio::spawn(async move {
            let (bucket, mut done) = (bucket(), 0);
            let mut seen = keyvalue.get(&bucket, "order").await.unwrap();
            while done < 25 {
                match count(&*commits, seen).await {
                    Ok(now) => {
                        done += 1;
                        seen = Some(now);
                    }
                    Err(Current(now)) => seen = now,
                }
            }
        })
    });
    for task in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
        task.unwrap();
    }
    let all: Vec<_> = (1..=200).map(|n| n.to_string()).collect();
    for queue in ["a", "b"] {
        assert_eq!(claimed(&*engine.log(), queue).await, all, "{queue}");
    }
}

/// Writes the next number, and tells it to two queues.
async fn count(commits: &dyn Commit, seen: Option<Vec<u8>>) -> Result<Vec<u8>, Current> {
    let number = seen.as_deref().unwrap_or(b"0");
    let number: u64 = std::str::from_utf8(number).unwrap().parse().unwrap();
    let new = (number + 1).to_string();
    let appends = ["b", "a"].map(|queue| keyless(queue, &new));
    let bucket = bucket();
    let swap = swap(&bucket, seen.as_deref(), new.as_bytes());
    match commits.commit(swap, appends.into(), at(0)).await.unwrap() {
        Ok(()) => Ok(new.into_bytes()),
        Err(Uncommitted::Stale(current)) => Err(current),
        Err(Uncommitted::Full { queue, full }) => panic!("{queue} is full: {full}"),
    }
}

/// Callers on one engine each commit numbers with a message, and try again after each
/// error: every commit whose reply was there is in the bucket and in the queue, each once
/// and in order, and nothing else. For engines that fail by chance, too.
///
/// # Panics
/// Where it does not hold.
pub async fn nothing_is_committed_by_half(callers: Vec<Arc<dyn Commit>>, log: &dyn Log) {
    let any = Arc::clone(&callers[0]);
    let tasks = callers.into_iter().enumerate().map(|(owner, commits)| {
        tokio::spawn(async move {
            let mut done = Vec::new();
            while done.len() < 10 {
                let name = format!("{owner}.{}", done.len());
                add(&*commits, &name).await;
                done.push(name);
            }
            done
        })
    });
    let tasks = futures::future::join_all(tasks.collect::<Vec<_>>()).await;
    let mut done: Vec<_> = tasks.into_iter().flat_map(Result::unwrap).collect();
    let told = claimed(log, "q").await;
    let mut committed = list(&*any).await;
    assert_eq!(told, committed, "in the order of the commits");
    done.sort_unstable();
    committed.sort_unstable();
    assert_eq!(committed, done);
}

/// Adds a name to the list at the key and tells it, until it is there.
async fn add(commits: &dyn Commit, name: &str) {
    let (bucket, mut old) = (bucket(), None::<String>);
    loop {
        let names = old.iter().flat_map(|old| old.split(' '));
        if names.clone().any(|known| known == name) {
            return;
        }
        let new: Vec<_> = names.chain([name]).collect();
        let new = new.join(" ");
        let expected = old.as_deref().map(str::as_bytes);
        let append = keyless("q", name);
        let swap = swap(&bucket, expected, new.as_bytes());
        match commits.commit(swap, vec![append], at(0)).await {
            Ok(Ok(())) => return,
            Ok(Err(Uncommitted::Stale(Current(found)))) => {
                old = found.map(|found| String::from_utf8(found).unwrap());
            }
            Ok(Err(Uncommitted::Full { queue, full })) => panic!("{queue} is full: {full}"),
            Err(_) => {}
        }
    }
}

/// What is at the key, as a commit that nothing fits is told.
async fn list(commits: &dyn Commit) -> Vec<String> {
    let bucket = bucket();
    loop {
        let refused = commits.commit(swap(&bucket, Some(b""), b""), Vec::new(), at(0));
        if let Ok(Err(Uncommitted::Stale(Current(found)))) = refused.await {
            let found = String::from_utf8(found.unwrap_or_default()).unwrap();
            return found.split(' ').map(str::to_owned).collect();
        }
    }
}
