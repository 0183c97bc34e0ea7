//! Nothing acknowledged is lost when the process is killed.
//!
//! The test runs its own executable again as a child that writes and tells each
//! acknowledgement, kills it at a random one, and looks.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::Store;
use super::large::INLINE_MAX;
use crate::log::{Bounds, NewMessage, Peek};
use crate::{Append, BucketId, ContainerId, ObjectId, Swap, Term};

const ROUNDS: usize = 12;
const WRITERS: usize = 8;
const KINDS: [&str; 8] = [
    "small", "large", "swap", "record", "count", "commit", "lease", "blob",
];
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
        let mut key = format!("{round}-{writer}-{number}");
        let kind = KINDS[number % KINDS.len()];
        match kind {
            "small" => keyvalue.set(&bucket, &key, key.as_bytes()).await.unwrap(),
            "large" => keyvalue.set(&bucket, &key, &large(&key)).await.unwrap(),
            "swap" => keyvalue
                .compare_and_swap(&bucket, &key, None, key.as_bytes())
                .await
                .unwrap()
                .unwrap(),
            "record" => records.put("crash", &key, json!(key)).await.unwrap(),
            "commit" => commit(&store, &key).await,
            "blob" => blob(&store, writer, &key).await,
            "lease" => key = format!("{writer}={}", lease(&store, writer).await),
            _ => drop(keyvalue.increment(&bucket, "count", 1).await.unwrap()),
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {kind} {key}")
            .and_then(|()| out.flush())
            .unwrap();
    }
}

/// Writes a key of a bucket of its own, and tells it to a queue.
async fn commit(store: &Store, key: &str) {
    let bucket = BucketId::new("crash", "commits").unwrap();
    let swap = Swap {
        bucket: &bucket,
        key,
        expected: None,
        new: b"",
    };
    let append = Append {
        queue: "commits".to_owned(),
        message: NewMessage {
            body: key.into(),
            ..NewMessage::default()
        },
        bounds: Bounds {
            messages: u64::MAX,
            bytes: u64::MAX,
        },
    };
    let commits = store.commits();
    let done = commits.commit(swap, vec![append], SystemTime::now());
    done.await.unwrap().unwrap();
}

/// Acquires the lease of a writer, and says its number.
async fn lease(store: &Store, writer: usize) -> u64 {
    let term = Term {
        now: UNIX_EPOCH,
        until: UNIX_EPOCH + Duration::from_secs(1),
    };
    let (leases, name) = (store.leases(), writer.to_string());
    let acquired = leases.acquire(&name, "crash", term).await;
    acquired.unwrap().unwrap().fence
}

/// Writes an object, and the one of its writer: over the last, so that it loses its content.
async fn blob(store: &Store, writer: usize, key: &str) {
    let blobs = store.blobs();
    blobs.create(&container(), UNIX_EPOCH).await.unwrap();
    for name in [key, &format!("of {writer}")] {
        let mut upload = blobs.begin("crash", u64::MAX).await.unwrap();
        for piece in large(key).chunks(1000) {
            upload.write(piece.to_vec().into()).await.unwrap();
        }
        let written = upload.finish(object(name), UNIX_EPOCH).await;
        written.unwrap();
    }
}

fn container() -> ContainerId {
    ContainerId::new("crash", "blobs").unwrap()
}

fn object(name: &str) -> ObjectId {
    ObjectId::new(container(), name).unwrap()
}

async fn read_blob(store: &Store, name: &str) -> Vec<u8> {
    let mut content = store
        .blobs()
        .open(&object(name), 0..u64::MAX)
        .await
        .unwrap();
    let mut all = Vec::new();
    while content.left() > 0 {
        all.extend(content.read(1 << 20).await.unwrap());
    }
    all
}

/// All objects are whole, and each file has a name.
async fn check_blobs(store: &Store, dir: &Path) {
    let blobs = store.blobs();
    blobs.collect().await.unwrap();
    let names = blobs.list(&container(), None, usize::MAX).await.unwrap();
    let mut contents = BTreeSet::new();
    for name in names.keys {
        contents.insert(read_blob(store, &name).await);
    }
    let folders = std::fs::read_dir(dir.join("blobs")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    assert_eq!(files.count(), contents.len());
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
    let committed = committed(&store).await;
    check_blobs(&store, dir).await;
    for line in acknowledged {
        let (kind, key) = line["ack ".len()..].split_once(' ').unwrap();
        match kind {
            "count" => {}
            "blob" => assert!(read_blob(&store, key).await == large(key), "{line}"),
            "commit" => assert!(committed.contains(key), "{line}"),
            "lease" => {
                let (name, fence) = key.split_once('=').unwrap();
                let held = store.leases().holder(name, UNIX_EPOCH).await;
                let held = held.unwrap().unwrap().fence;
                assert!(held >= fence.parse().unwrap(), "{line}, {held} is there");
            }
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

/// What was committed: each key was told once, and nothing else was.
async fn committed(store: &Store) -> BTreeSet<String> {
    let (bucket, log) = (BucketId::new("crash", "commits").unwrap(), store.log());
    let keys = store.keyvalue().list(&bucket, None, usize::MAX).await;
    let keys = keys.unwrap().keys;
    let all = Peek {
        subscriber: None,
        standing: None,
        after: 0,
        most: usize::MAX,
        body: 100,
    };
    let told = log.peek("commits", all, SystemTime::now()).await.unwrap();
    let told = told.into_iter().map(|peeked| peeked.body);
    let mut told: Vec<_> = told.map(|body| String::from_utf8(body).unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, keys);
    keys.into_iter().collect()
}
