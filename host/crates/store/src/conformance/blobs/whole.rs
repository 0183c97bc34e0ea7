//! What holds whatever fails, and whoever else writes.

use std::sync::Arc;

use fastrand::Rng;
use futures::future::join_all;

use super::{at, bytes, container, object, rest, write};
use crate::{BlobError, Blobs, ObjectId, Source};

/// Few names and few contents, so that all want the same.
const NAMES: [&str; 3] = ["a", "b", "c"];
const CONTENTS: usize = 4;
const TURNS: usize = 60;

/// Callers that write, copy, remove and read the same names find one of the contents there,
/// whole, or nothing; and at the end, what was written last. For engines that fail by
/// chance, too.
///
/// # Panics
/// Where it does not hold.
pub async fn objects_are_whole_whoever_writes(callers: Vec<Arc<dyn Blobs>>, seed: u64) {
    let pictures = container("product", "pictures");
    let blobs = Arc::clone(&callers[0]);
    while blobs.create(&pictures, at(0)).await.is_err() {}
    let tasks = callers.into_iter().zip(seed * 100..).map(|(blobs, seed)| {
        let objects = NAMES.map(|name| object(&pictures, name));
        tokio::spawn(async move { turns(&*blobs, &objects, seed).await })
    });
    for task in join_all(tasks.collect::<Vec<_>>()).await {
        task.unwrap();
    }
    for (seed, name) in NAMES.into_iter().enumerate() {
        let last = object(&pictures, name);
        while write(&*blobs, &last, &content(seed), 5000).await.is_err() {}
        while blobs.collect().await.is_err() {}
        let found = loop {
            if let Ok(found) = read(&*blobs, &last).await {
                break found;
            }
        };
        assert!(found == Some(content(seed)), "{name}");
    }
}

async fn turns(blobs: &dyn Blobs, objects: &[ObjectId], seed: u64) {
    let mut rng = Rng::with_seed(seed);
    for _ in 0..TURNS {
        let [one, other] = [0; 2].map(|_| &objects[rng.usize(..objects.len())]);
        // What fails may have been done: whatever it left must be whole.
        match rng.u8(..10) {
            0..4 => drop(write(blobs, one, &content(rng.usize(..CONTENTS)), 5000).await),
            4 => {
                let name = [one.name().to_owned()];
                drop(blobs.delete(one.container(), &name).await);
            }
            5 => drop(copy(blobs, one, other, Source::Stays).await),
            6 => drop(copy(blobs, one, other, Source::Goes).await),
            7 => drop(blobs.collect().await),
            _ => {
                let found = read(blobs, one).await;
                let found = found.ok().flatten();
                let is_one = |found| (0..CONTENTS).any(|seed| content(seed) == found);
                assert!(found.is_none_or(is_one), "{one:?} is torn");
            }
        }
    }
}

async fn copy(
    blobs: &dyn Blobs,
    from: &ObjectId,
    to: &ObjectId,
    source: Source,
) -> Result<(), BlobError> {
    super::copies::copy(blobs, from, to, source).await
}

/// What is there; an error where the engine failed.
async fn read(blobs: &dyn Blobs, object: &ObjectId) -> Result<Option<Vec<u8>>, BlobError> {
    match blobs.open(object, 0..u64::MAX).await {
        Ok(mut content) => rest(&mut *content, 7000).await.map(Some),
        Err(BlobError::NoObject(_)) => Ok(None),
        Err(BlobError::Store(error)) => {
            assert!(
                !matches!(error, crate::StoreError::Corrupt(_)),
                "{object:?}: {error}"
            );
            Err(error.into())
        }
        Err(error) => Err(error),
    }
}

fn content(seed: usize) -> Vec<u8> {
    bytes(10_000 + 3000 * seed, seed)
}
