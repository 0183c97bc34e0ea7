//! What a service may keep, and what it keeps.

use futures::future::join_all;

use super::{at, bytes, container, names, object, pictures, put, read, usage};
use crate::conformance::Mortal;
use crate::{BlobError, Blobs, ContainerId, Copying, Source};

/// Begins, and writes this much.
async fn written(
    blobs: &dyn Blobs,
    quota: u64,
    length: usize,
) -> Result<Box<dyn crate::Upload>, BlobError> {
    let mut upload = blobs.begin("product", quota).await?;
    upload.write(bytes(length, 0).into()).await?;
    Ok(upload)
}

fn assert_full<T>(found: Result<T, BlobError>, expected: [u64; 3]) {
    match found {
        Err(BlobError::Full {
            service,
            used,
            quota,
            more,
        }) => {
            assert_eq!((&*service, [used, quota, more]), ("product", expected));
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it fits: {expected:?}"),
    }
}

/// Not at its end; and nothing of it stays. Other services don't count.
pub async fn what_does_not_fit_is_refused_while_it_comes(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let other = container("order", "pictures");
    blobs.create(&other, at(0)).await.unwrap();
    put(blobs, &object(&other, "a"), &bytes(5000, 0)).await;
    let picture = object(&pictures, "a");
    let mut first = written(blobs, 1000, 600).await.unwrap();
    assert_full(written(blobs, 1000, 401).await, [600, 1000, 401]);
    let second = written(blobs, 1000, 400).await.unwrap();
    assert_full(first.write(vec![1].into()).await, [1000, 1000, 1]);
    assert!(
        first.write(vec![].into()).await.is_err(),
        "what was refused goes on no more"
    );
    assert!(first.finish(picture.clone(), at(1)).await.is_err());
    assert_eq!(names(blobs, &pictures, 10).await, [""; 0]);
    second.finish(picture.clone(), at(1)).await.unwrap();
    assert_eq!(read(blobs, &picture).await, Some(bytes(400, 0)));
    assert_eq!(usage(blobs, "product"), (400, 1));
    let rest = written(blobs, 1000, 600).await.unwrap();
    rest.finish(object(&pictures, "b"), at(1)).await.unwrap();
    assert_full(written(blobs, 1000, 1).await, [1000, 1000, 1]);
    let empty = written(blobs, 0, 0).await.unwrap();
    empty.finish(object(&pictures, "c"), at(1)).await.unwrap();
    let foreign = blobs.begin("order", 5000).await.unwrap();
    let refused = foreign.finish(picture, at(1)).await;
    assert!(
        matches!(refused, Err(BlobError::NotOwn { .. })),
        "{refused:?}"
    );
}

/// Once that is done; and so does what is given up.
pub async fn what_is_replaced_or_gone_makes_room(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let [a, b] = ["a", "b"].map(|name| object(&pictures, name));
    let full = written(blobs, 1000, 600).await.unwrap();
    full.finish(a.clone(), at(1)).await.unwrap();
    // What is to be replaced is there as long as what replaces it is not.
    assert_full(written(blobs, 1000, 500).await, [600, 1000, 500]);
    let smaller = written(blobs, 1000, 300).await.unwrap();
    smaller.finish(a, at(1)).await.unwrap();
    assert_eq!(usage(blobs, "product"), (300, 1));
    drop(written(blobs, 1000, 700).await.unwrap());
    let rest = written(blobs, 1000, 700).await.unwrap();
    rest.finish(b, at(1)).await.unwrap();
    blobs.delete(&pictures, &["a".to_owned()]).await.unwrap();
    assert_full(written(blobs, 1000, 301).await, [700, 1000, 301]);
    blobs.remove(&pictures).await.unwrap();
    drop(written(blobs, 1000, 1000).await.unwrap());
}

/// In full; and what is moved does not count twice.
pub async fn a_copy_counts_as_what_it_is_of(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let [a, b, c] = ["a", "b", "c"].map(|name| object(&pictures, name));
    put(blobs, &a, &bytes(600, 0)).await;
    let copying = |source, quota| Copying {
        source,
        quota,
        now: at(1),
    };
    let refused = blobs.copy(&a, &b, copying(Source::Stays, 1000)).await;
    assert_full(refused, [600, 1000, 600]);
    let moved = blobs.copy(&a, &b, copying(Source::Goes, 600)).await;
    moved.unwrap();
    let fits = blobs.copy(&b, &a, copying(Source::Stays, 1200)).await;
    fits.unwrap();
    // Over one that is as long.
    let same = blobs.copy(&a, &b, copying(Source::Stays, 100)).await;
    same.unwrap();
    let refused = blobs.copy(&a, &c, copying(Source::Stays, 1799)).await;
    assert_full(refused, [1200, 1799, 600]);
    assert_eq!(usage(blobs, "product"), (1200, 2));
}

/// By service: objects, and what they say that they have, though it is the same.
pub async fn usage_is_counted(mut engine: impl Mortal) {
    let blobs = engine.blobs();
    assert!(blobs.usage().is_empty());
    let all = ["a", "b"].map(|service| container(service, "c"));
    for one in &all {
        blobs.create(one, at(0)).await.unwrap();
    }
    assert!(blobs.usage().is_empty());
    for (n, one) in [0, 0, 1].map(|n| &all[n]).into_iter().enumerate() {
        put(&*blobs, &object(one, &n.to_string()), &bytes(1000, 0)).await;
    }
    drop(blobs);
    for _ in 0..2 {
        let blobs = engine.blobs();
        assert_eq!(usage(&*blobs, "a"), (2000, 2));
        assert_eq!(usage(&*blobs, "b"), (1000, 1));
        drop(blobs);
        engine.crash();
    }
}

/// Together: what is coming in counts for each of them.
pub async fn of_many_who_write_at_once_none_passes_the_quota(engine: impl Mortal) {
    const QUOTA: u64 = 300_000;
    let blobs = engine.blobs();
    let pictures = pictures(&*blobs).await;
    let writers = (0..16).map(|writer| {
        let (blobs, pictures) = (blobs.clone(), pictures.clone());
        tokio::spawn(async move {
            let mut kept = 0;
            for turn in 0..10 {
                kept += fill(&*blobs, &pictures, &format!("{writer}-{turn}")).await;
                assert!(usage(&*blobs, "product").0 <= QUOTA);
            }
            kept
        })
    });
    let kept = join_all(writers.collect::<Vec<_>>()).await;
    let kept: u64 = kept.into_iter().map(|kept| kept.unwrap()).sum();
    assert_eq!(usage(&*blobs, "product"), (kept * 10_000, kept));
    assert!(kept > 0);
    let names = names(&*blobs, &pictures, 1000).await;
    blobs.delete(&pictures, &names).await.unwrap();
    let mut upload = blobs.begin("product", QUOTA).await.unwrap();
    upload.write(bytes(QUOTA as usize, 0).into()).await.unwrap();

    /// Whether it fitted: 1 or 0.
    async fn fill(blobs: &dyn Blobs, pictures: &ContainerId, name: &str) -> u64 {
        let mut upload = blobs.begin("product", QUOTA).await.unwrap();
        for seed in 0..2 {
            match upload.write(bytes(5000, seed).into()).await {
                Ok(()) => tokio::task::yield_now().await,
                Err(BlobError::Full { .. }) => return 0,
                Err(error) => panic!("{error}"),
            }
        }
        upload.finish(object(pictures, name), at(1)).await.unwrap();
        1
    }
}
