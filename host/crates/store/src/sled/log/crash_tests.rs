//! Nothing acknowledged is lost, and nothing done comes back, when the process is killed.
//!
//! As in [`crate::sled::crash_tests`], the test's own executable runs again as a child
//! that appends, claims and acknowledges, tells of each, and is killed at a random one.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::log::{Again, Bounds, Delivery, Exhausted, NewMessage, Redrive, Subscription};
use crate::{Log, Store};

const ROUNDS: usize = 12;
const SENDERS: usize = 4;
const KEYS: usize = 5;
const DIR: &str = "STOA_LOG_CRASH_TEST_DIR";
const ROUND: &str = "STOA_LOG_CRASH_TEST_ROUND";
const FROM: Subscription<'static> = Subscription {
    queue: "crash",
    subscriber: "s",
};
const WIDE: Bounds = Bounds {
    messages: 1_000_000,
    bytes: 1 << 40,
};

/// What was told, in any round.
#[derive(Default)]
struct Told {
    appended: BTreeSet<String>,
    /// Perhaps done, by a child that was killed before it told.
    claimed: BTreeSet<String>,
    done: BTreeSet<String>,
    dead: BTreeSet<String>,
}

#[tokio::test]
async fn acknowledged_messages_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let (mut child, out) = start(dir.path(), round);
        let mut lines = BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.starts_with("ack "));
        let before_kill = fastrand::usize(1..300);
        let seen: Vec<_> = lines.by_ref().take(before_kill).collect();
        assert_eq!(seen.len(), before_kill, "the child ended on its own");
        child.kill().unwrap();
        // What it had told before it died counts too.
        seen.into_iter()
            .chain(lines)
            .for_each(|line| told.add(&line));
        child.wait().unwrap();
        check(dir.path(), &told).await;
    }
    assert!(!told.done.is_empty() && !told.dead.is_empty());
    deliver_all(dir.path(), &told).await;
}

/// The body of the child; does nothing in an ordinary run of the tests.
#[test]
fn crash_child() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work_until_killed(PathBuf::from(dir), round));
}

fn start(dir: &Path, round: usize) -> (Child, ChildStdout) {
    let test = "sled::log::crash_tests::crash_child";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    (child, out)
}

async fn work_until_killed(dir: PathBuf, round: String) {
    let store = Store::open(&dir).unwrap();
    let log = store.log();
    log.subscribe("crash", "s").await.unwrap();
    let senders = (0..SENDERS).map(|sender| {
        let name = format!("{round}-{sender}");
        tokio::spawn(send(Arc::clone(&log), name))
    });
    let senders = futures::future::join_all(senders);
    futures::future::join(senders, receive(Arc::clone(&log))).await;
}

async fn send(log: Arc<dyn Log>, sender: String) {
    for number in 0.. {
        let bodies = [0, 1].map(|half| format!("{sender}-{number}-{half}"));
        // The second one needs pieces beside its entry.
        let messages = bodies.each_ref().map(|body| NewMessage {
            key: Some((number % KEYS).to_string()),
            body: padded(body, if body.ends_with('1') { 40_000 } else { 0 }),
            ..NewMessage::default()
        });
        let appended = log.append("crash", messages.to_vec(), WIDE, now()).await;
        appended.unwrap().unwrap();
        bodies.iter().for_each(|body| tell("append", body));
    }
}

async fn receive(log: Arc<dyn Log>) {
    let mut changed = log.watch("crash");
    for number in 0.. {
        changed.mark_unchanged();
        let until = now() + Duration::from_secs(60);
        let claimed = log.claim(FROM, 1, now(), until).await.unwrap();
        let Some(delivery) = claimed.into_iter().next() else {
            changed.changed().await.unwrap();
            continue;
        };
        let (body, receipt) = (name(&delivery), delivery.receipt);
        tell("claim", &body);
        let attempt = Some("failed".to_owned());
        let kept = match number % 8 {
            1 => {
                log.nack(
                    receipt,
                    Again {
                        due: now(),
                        attempt,
                    },
                )
                .await
            }
            2 => log.bury(receipt, "bad".to_owned(), Exhausted::Dead).await,
            _ => log.ack(receipt).await,
        };
        assert!(kept.unwrap());
        match number % 8 {
            1 => {}
            2 => tell("bury", &body),
            _ => tell("done", &body),
        }
    }
}

fn tell(what: &str, body: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {what} {body}")
        .and_then(|()| out.flush())
        .unwrap();
}

fn padded(body: &str, len: usize) -> Vec<u8> {
    format!("{body:<len$}").into_bytes()
}

fn name(delivery: &Delivery) -> String {
    let text = std::str::from_utf8(&delivery.body).unwrap();
    text.trim_end().to_owned()
}

fn now() -> SystemTime {
    SystemTime::now()
}

impl Told {
    fn add(&mut self, line: &str) {
        let (what, body) = line["ack ".len()..].split_once(' ').unwrap();
        let told = match what {
            "append" => &mut self.appended,
            "claim" => {
                assert!(!self.done.contains(body), "{body} was done");
                self.claimed.insert(body.to_owned());
                return;
            }
            "done" => &mut self.done,
            _ => &mut self.dead,
        };
        assert!(told.insert(body.to_owned()), "{line} came twice");
    }
}

/// What was appended is there unless it is done, whole; what is done is not; and of two
/// that were appended together, both or none were.
async fn check(dir: &Path, told: &Told) {
    let store = Store::open(dir).unwrap();
    let log = store.log();
    let what = crate::log::Peek {
        most: usize::MAX,
        body: 100,
        ..super::tests::ALL
    };
    let peeked = log.peek("crash", what, UNIX_EPOCH).await.unwrap();
    let there: BTreeSet<_> = peeked
        .iter()
        .map(|one| String::from_utf8_lossy(&one.body).trim_end().to_owned())
        .collect();
    assert_eq!(there.len(), peeked.len(), "a message is there once");
    let may_be_done = |body: &String| told.done.contains(body) || told.claimed.contains(body);
    let mut lost = told.appended.difference(&there);
    assert_eq!(lost.find(|body| !may_be_done(body)), None, "it is lost");
    assert_eq!(told.done.intersection(&there).next(), None, "it was done");
    for body in &there {
        let (rest, half) = body.rsplit_once('-').unwrap();
        let other = format!("{rest}-{}", if half == "0" { "1" } else { "0" });
        let whole = there.contains(&other) || may_be_done(&other);
        assert!(whole, "{body} came without {other}");
    }
}

/// The rest comes in the order of each key, and its bodies are whole.
async fn deliver_all(dir: &Path, told: &Told) {
    let store = Store::open(dir).unwrap();
    let log = store.log();
    let dead = log.stats("crash", now()).await.unwrap().subscribers[0].dead;
    assert!(dead >= told.dead.len() as u64, "{dead}");
    log.redrive(FROM, Redrive::All, usize::MAX).await.unwrap();
    let mut last = [0; KEYS];
    loop {
        let claimed = log.claim(FROM, 100, now(), now() + Duration::from_secs(60));
        let claimed = claimed.await.unwrap();
        if claimed.is_empty() {
            break;
        }
        for delivery in claimed {
            let body = name(&delivery);
            let len = if body.ends_with('1') { 40_000 } else { 0 };
            assert_eq!(delivery.body, padded(&body, len));
            let key: usize = delivery.key.unwrap().parse().unwrap();
            assert!(delivery.id > last[key], "{body} is out of order");
            last[key] = delivery.id;
            // The reply is not awaited: thousands of flushes prove nothing more.
            drop(log.ack(delivery.receipt));
        }
    }
    assert_eq!(log.stats("crash", now()).await.unwrap().messages, 0);
}
