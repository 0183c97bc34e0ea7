//! What is written over and over takes no more disk than what is there.

use super::Store;
use crate::{BucketId, bytes_in};

const KEYS: usize = 100;
const VALUE: usize = 2 << 10;
/// Segments that sled has in use or keeps for the next writes, whatever is there.
const SLACK: u64 = 32 << 20;

#[tokio::test]
async fn overwriting_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (keyvalue, bucket) = (store.keyvalue(), BucketId::new("order", "orders").unwrap());
    let mut sizes = Vec::new();
    for round in 0..400_usize {
        let pairs: Vec<_> = (0..KEYS)
            .map(|key| (key.to_string(), vec![(round + key) as u8; VALUE]))
            .collect();
        keyvalue.set_many(&bucket, &pairs).await.unwrap();
        if round % 100 == 99 {
            sizes.push(bytes_in(&dir.path().join("state")));
        }
    }
    // 80 MB were written.
    let live = (KEYS * VALUE) as u64;
    assert!(
        sizes[3] < live + SLACK,
        "bytes after each quarter: {sizes:?}"
    );
}
