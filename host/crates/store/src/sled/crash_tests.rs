//! Nothing acknowledged is lost when the process is killed.
//!
//! The test runs its own executable again as a child that writes and tells each
//! acknowledgement, kills it at a random one, and looks.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use serde_json::json;

use super::Store;
use super::large::INLINE_MAX;
use crate::BucketId;

const ROUNDS: usize = 12;
const WRITERS: usize = 8;
const DIR: &str = "STOA_CRASH_TEST_DIR";
const ROUND: &str = "STOA_CRASH_TEST_ROUND";

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let mut counted = 0;
    for round in 0..ROUNDS {
        let (mut child, out) = start(dir.path(), round);
        let mut lines = BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.starts_with("ack "));
        let before_kill = fastrand::usize(1..300);
        let mut told: Vec<_> = lines.by_ref().take(before_kill).collect();
        assert_eq!(told.len(), before_kill, "the child ended on its own");
        child.kill().unwrap();
        // What it had told before it died counts too.
        told.extend(lines);
        child.wait().unwrap();

        let increments = told
            .iter()
            .filter(|line| line.starts_with("ack count "))
            .count();
        all.extend(told);
        counted = check(dir.path(), &all, counted + increments).await;
    }
}

/// The body of the child; does nothing in an ordinary run of the tests.
#[test]
fn crash_child() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(write_until_killed(PathBuf::from(dir), round));
}

fn start(dir: &Path, round: usize) -> (Child, ChildStdout) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sled::crash_tests::crash_child", "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    (child, out)
}

async fn write_until_killed(dir: PathBuf, round: String) {
    let store = Arc::new(Store::open(&dir).unwrap());
    let writers =
        (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&store), round.clone(), writer)));
    futures::future::join_all(writers).await;
}

async fn write(store: Arc<Store>, round: String, writer: usize) {
    let (keyvalue, records) = (store.keyvalue(), store.records());
    let bucket = BucketId::new("crash", "test").unwrap();
    for number in 0.. {
        let key = format!("{round}-{writer}-{number}");
        let kind = ["small", "large", "swap", "record", "count"][number % 5];
        match kind {
            "small" => keyvalue.set(&bucket, &key, key.as_bytes()).await.unwrap(),
            "large" => keyvalue.set(&bucket, &key, &large(&key)).await.unwrap(),
            "swap" => keyvalue
                .compare_and_swap(&bucket, &key, None, key.as_bytes())
                .await
                .unwrap()
                .unwrap(),
            "record" => records.put("crash", &key, json!(key)).await.unwrap(),
            _ => drop(keyvalue.increment(&bucket, "count", 1).await.unwrap()),
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {kind} {key}")
            .and_then(|()| out.flush())
            .unwrap();
    }
}

fn large(key: &str) -> Vec<u8> {
    key.as_bytes()
        .iter()
        .copied()
        .cycle()
        .take(INLINE_MAX + 1)
        .collect()
}

async fn check(dir: &Path, acknowledged: &[String], counted: usize) -> usize {
    let store = Store::open(dir).unwrap();
    let (keyvalue, records) = (store.keyvalue(), store.records());
    let bucket = BucketId::new("crash", "test").unwrap();
    for line in acknowledged {
        let (kind, key) = line["ack ".len()..].split_once(' ').unwrap();
        match kind {
            "count" => {}
            "record" => assert_eq!(
                records.get("crash", key).await.unwrap(),
                Some(json!(key)),
                "{line}"
            ),
            "large" => assert_eq!(
                keyvalue.get(&bucket, key).await.unwrap(),
                Some(large(key)),
                "{line}"
            ),
            _ => assert_eq!(
                keyvalue.get(&bucket, key).await.unwrap().as_deref(),
                Some(key.as_bytes()),
                "{line}"
            ),
        }
    }
    let count = keyvalue
        .get(&bucket, "count")
        .await
        .unwrap()
        .unwrap_or_else(|| b"0".to_vec());
    let count: usize = String::from_utf8(count).unwrap().parse().unwrap();
    assert!(
        count >= counted,
        "{counted} increments were acknowledged, {count} are there"
    );
    count
}
