use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Store;

use super::*;

const PLACE: KeyDigest = [7; 32];

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_value_is_there_until_its_end_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let long: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    store.expiring().put(&PLACE, &long, at(10)).await.unwrap();
    store.close();
    let store = Store::open(dir.path()).unwrap();
    let kept = store.expiring();
    assert_eq!(kept.get(&PLACE, at(9)).await.unwrap(), Some(long));
    assert_eq!(kept.get(&PLACE, at(10)).await.unwrap(), None);
    kept.put(&PLACE, b"short", at(20)).await.unwrap();
    assert_eq!(
        kept.get(&PLACE, at(10)).await.unwrap().as_deref(),
        Some(&b"short"[..])
    );
}

#[tokio::test]
async fn the_sweep_takes_what_is_over_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let tree = store.expiring.tree.clone();
    let kept = store.expiring();
    for n in 0..10 {
        let end = at(100 + u64::from(n));
        kept.put(&[n; 32], &[n; 20_000], end).await.unwrap();
    }
    kept.put(&[0; 32], b"again", at(200)).await.unwrap();
    assert_eq!(kept.sweep(at(104), 3).await.unwrap(), 3);
    assert_eq!(kept.sweep(at(104), 100).await.unwrap(), 1);
    assert_eq!(kept.sweep(at(104), 100).await.unwrap(), 0);
    assert!(kept.get(&[0; 32], at(104)).await.unwrap().is_some());
    assert!(kept.get(&[5; 32], at(104)).await.unwrap().is_some());
    assert_eq!(kept.sweep(at(300), 100).await.unwrap(), 6);
    assert!(tree.is_empty(), "nothing is left behind");
}

#[tokio::test]
async fn what_is_an_owners_goes_with_it_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let kept = store.expiring();
    let place = |owner: u8, n: u16| {
        let mut place = [owner; 32];
        place[OWNER..][..2].copy_from_slice(&n.to_be_bytes());
        place
    };
    for n in 0..600 {
        kept.put(&place(6, n), &[1; 20_000], at(9)).await.unwrap();
    }
    for other in [place(5, 600), place(7, 0)] {
        kept.put(&other, b"theirs", at(9)).await.unwrap();
    }
    kept.purge([6; OWNER]).await.unwrap();
    for n in 0..600 {
        assert_eq!(kept.get(&place(6, n), at(1)).await.unwrap(), None, "{n}");
    }
    for other in [place(5, 600), place(7, 0)] {
        assert!(kept.get(&other, at(1)).await.unwrap().is_some());
    }
    assert_eq!(store.expiring.tree.len(), 4, "two values and their ends");
}

#[tokio::test]
async fn what_ends_first_goes_where_there_is_too_much() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let place = |n: u64| {
        let mut place = [0; 32];
        place[..8].copy_from_slice(&n.to_be_bytes());
        place
    };
    let kept = store.expiring();
    for n in 0..200 {
        kept.put(&place(n), &[1; 1000], at(1000 - n)).await.unwrap();
    }
    kept.put(&place(0), &[1; 40_000], at(2000)).await.unwrap();
    let all = kept.size();
    assert!((200 * 1000..400 * 1000).contains(&all), "{all}");
    drop(kept);
    store.close();
    let store = Store::open(dir.path()).unwrap();
    let kept = store.expiring();
    assert_eq!(kept.size(), all, "it is known again after a restart");
    assert_eq!(kept.bound(all, 1000).await.unwrap(), 0);
    assert_eq!(kept.bound(all / 2, 10).await.unwrap(), 10);
    kept.bound(all / 2, 1000).await.unwrap();
    assert!(kept.size() <= all / 2, "{}", kept.size());
    assert!(kept.get(&place(199), at(1)).await.unwrap().is_none());
    assert!(kept.get(&place(0), at(1)).await.unwrap().is_some());
    kept.sweep(at(3000), 1000).await.unwrap();
    assert_eq!(kept.size(), 0);
    assert!(store.expiring.tree.is_empty(), "nothing is left behind");
}

/// An entry for the sweep that nothing stands behind any more.
#[tokio::test]
async fn the_sweep_asks_a_value_for_its_own_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let kept = store.expiring();
    kept.put(&PLACE, b"value", at(200)).await.unwrap();
    let tree = &store.expiring.tree;
    let stray: &[u8] = &[];
    tree.insert(end_key(millis(at(100)), &PLACE), stray)
        .unwrap();
    assert_eq!(kept.sweep(at(150), 10).await.unwrap(), 1);
    assert!(kept.get(&PLACE, at(150)).await.unwrap().is_some());
    assert_eq!(kept.sweep(at(300), 10).await.unwrap(), 1);
    assert!(store.expiring.tree.is_empty(), "nothing is left behind");
}

#[test]
fn a_value_kept_anew_outlives_a_sweep_at_the_same_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (kept, over) = (&store.expiring, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                kept.remove_until(10, 100).unwrap();
            }
        });
        let lost = (0..5_000).find(|_| {
            kept.write(&PLACE, b"old", 5).unwrap();
            kept.write(&PLACE, b"new", 20).unwrap();
            kept.read(&PLACE, 10).unwrap().is_none()
        });
        over.store(true, Ordering::Relaxed);
        assert_eq!(lost, None);
    });
}
