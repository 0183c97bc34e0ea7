//! What holds of a swap, whatever fails.

use std::sync::Arc;

use super::bucket;
use crate::{BucketId, Current, KeyValue};

const COUNTS: u64 = 20;

/// Callers on one engine count up by compare-and-swap, and try again after each error:
/// what was acknowledged is there, each number is given to one alone, and nobody reads
/// less than was acknowledged to it. For engines that fail by chance, too.
///
/// # Panics
/// Where it does not hold.
pub async fn no_acknowledged_count_is_lost(callers: Vec<Arc<dyn KeyValue>>) {
    let counts = Arc::new(bucket("order", "counts"));
    let tasks = callers.iter().enumerate().map(|(owner, keyvalue)| {
        let (keyvalue, counts) = (Arc::clone(keyvalue), Arc::clone(&counts));
        tokio::spawn(async move { count(&*keyvalue, &counts, owner).await })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut made = Vec::new();
    for task in futures::future::join_all(tasks).await {
        made.extend(task.unwrap());
    }
    made.sort_unstable();
    let expected = 1..=COUNTS * callers.len() as u64;
    assert!(made.iter().copied().eq(expected.clone()), "{made:?}");
    // Nothing is there now but what was acknowledged: a read may be late, a swap not.
    let last = current(&*callers[0], &counts).await.unwrap();
    assert_eq!(number(&last), *expected.end());
}

/// The numbers that a caller made, each in a value that says whose it is: so it knows
/// after an error whether its own swap was done.
async fn count(keyvalue: &dyn KeyValue, counts: &BucketId, owner: usize) -> Vec<u64> {
    let mut made: Vec<u64> = Vec::new();
    while made.len() < COUNTS as usize {
        let Ok(old) = keyvalue.get(counts, "n").await else {
            continue;
        };
        let read = old.as_deref().map_or(0, number);
        assert!(Some(&read) >= made.last(), "read {read} after {made:?}");
        made.push(swap_up(keyvalue, counts, (owner, old)).await);
    }
    made
}

/// Makes the next number, and tries until it is sure.
async fn swap_up(
    keyvalue: &dyn KeyValue,
    counts: &BucketId,
    (owner, mut old): (usize, Option<Vec<u8>>),
) -> u64 {
    let mut in_doubt = false;
    loop {
        let next = old.as_deref().map_or(0, number) + 1;
        let history = old.as_deref().map(owners).unwrap_or_default();
        let new = format!("{next} {history}{}", char::from(b'a' + owner as u8));
        let swapped = keyvalue.compare_and_swap(counts, "n", old.as_deref(), new.as_bytes());
        match swapped.await {
            Ok(Ok(())) => return next,
            // The engine has it, or will never: the same swap again tells which.
            Err(_) => in_doubt = true,
            Ok(Err(Current(found))) => {
                let whose = found.as_deref().map(owners).unwrap_or_default();
                let done = whose.as_bytes().get(next as usize - 1);
                if in_doubt && done == Some(&(b'a' + owner as u8)) {
                    return next;
                }
                (old, in_doubt) = (found, false);
            }
        }
    }
}

/// What is there by now, of a swap that nobody's value fits.
async fn current(keyvalue: &dyn KeyValue, counts: &BucketId) -> Option<Vec<u8>> {
    loop {
        let refused = keyvalue.compare_and_swap(counts, "n", Some(b"?"), b"?");
        if let Ok(Err(Current(found))) = refused.await {
            return found;
        }
    }
}

fn number(value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).unwrap();
    text.split_once(' ').unwrap().0.parse().unwrap()
}

/// Who made each of the numbers until then.
fn owners(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).unwrap();
    text.split_once(' ').unwrap().1.to_owned()
}
