//! What every engine of [`Blobs`] promises, as tests that each engine runs.
//!
//! [`blobs_conformance!`](crate::blobs_conformance) makes a test of each check. A check
//! gets blobs of its own, and panics where a promise is broken.

mod containers;
mod copies;
mod objects;
mod quota;
mod whole;

pub use self::containers::*;
pub use self::copies::*;
pub use self::objects::*;
pub use self::quota::*;
pub use self::whole::*;
use super::at;
use crate::{BlobError, Blobs, ContainerId, Content, ObjectId, Usage};

/// Makes a test of each check, for the engine that a function returns: a
/// [`Mortal`](crate::conformance::Mortal).
#[macro_export]
macro_rules! blobs_conformance {
    ($fresh:path) => {
        $crate::blobs_conformance! {
            $fresh: tokio::test:
            an_object_is_what_was_written_last
            an_object_is_read_in_parts
            a_read_that_is_dropped_has_read_nothing
            an_object_has_any_name
            a_name_of_an_object_that_can_not_be_one_is_refused
            an_object_that_is_not_there_is_told
            an_upload_that_is_dropped_leaves_nothing
            an_object_stays_whole_while_it_is_read
            an_object_outlives_a_crash
            a_container_is_made_once
            a_container_goes_with_what_is_in_it
            containers_do_not_overlap
            a_container_lists_its_objects
            what_is_no_cursor_of_a_container_is_refused
            a_purge_takes_all_blobs_of_one_service
            a_copy_is_another_object
            a_moved_object_is_where_it_went
            a_copy_needs_its_ends
            what_does_not_fit_is_refused_while_it_comes
            what_is_replaced_or_gone_makes_room
            a_copy_counts_as_what_it_is_of
            usage_is_counted
        }
        $crate::blobs_conformance! {
            $fresh: tokio::test(flavor = "multi_thread", worker_threads = 4):
            of_many_who_write_at_once_none_passes_the_quota
        }
    };
    ($fresh:path: $test:meta: $($check:ident)*) => {$(
        #[$test]
        async fn $check() {
            $crate::conformance::blobs::$check($fresh()).await;
        }
    )*};
}

/// More than any test writes.
const AMPLE: u64 = 1 << 40;

fn container(service: &str, name: &str) -> ContainerId {
    ContainerId::new(service, name).unwrap()
}

fn object(container: &ContainerId, name: &str) -> ObjectId {
    ObjectId::new(container.clone(), name).unwrap()
}

/// The container `pictures` of `product`, made.
async fn pictures(blobs: &dyn Blobs) -> ContainerId {
    let pictures = container("product", "pictures");
    blobs.create(&pictures, at(0)).await.unwrap();
    pictures
}

/// Bytes that are not the same everywhere.
fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (seed..seed + length).map(|n| (n % 251) as u8).collect()
}

/// Writes an object in pieces.
async fn write(
    blobs: &dyn Blobs,
    object: &ObjectId,
    content: &[u8],
    piece: usize,
) -> Result<(), BlobError> {
    let service = object.container().service();
    let mut upload = blobs.begin(service, AMPLE).await?;
    for piece in content.chunks(piece) {
        upload.write(piece.to_vec().into()).await?;
    }
    let written = upload.finish(object.clone(), at(1)).await?;
    assert_eq!(written.size, content.len() as u64);
    Ok(())
}

async fn put(blobs: &dyn Blobs, object: &ObjectId, content: &[u8]) {
    write(blobs, object, content, 100_000).await.unwrap();
}

/// All that is still to be read, in pieces.
async fn rest(content: &mut dyn Content, piece: usize) -> Result<Vec<u8>, BlobError> {
    let (mut all, expected) = (Vec::new(), content.left());
    loop {
        let next = content.read(piece).await?;
        assert!(next.len() <= piece);
        if next.is_empty() {
            assert_eq!((content.left(), all.len() as u64), (0, expected));
            return Ok(all);
        }
        all.extend_from_slice(&next);
        assert_eq!(content.left(), expected - all.len() as u64);
    }
}

async fn read(blobs: &dyn Blobs, object: &ObjectId) -> Option<Vec<u8>> {
    match blobs.open(object, 0..u64::MAX).await {
        Ok(mut content) => Some(rest(&mut *content, 100_000).await.unwrap()),
        Err(BlobError::NoObject(missing)) => {
            assert_eq!(
                (&missing, blobs.head(object).await.unwrap()),
                (object, None)
            );
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// All names of a container, in pages of `limit`.
async fn names(blobs: &dyn Blobs, container: &ContainerId, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = blobs.list(container, cursor.as_deref(), limit);
        let page = page.await.unwrap();
        assert!(page.keys.len() <= limit.max(1));
        all.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

/// How many bytes and objects a service keeps.
fn usage(blobs: &dyn Blobs, service: &str) -> (u64, u64) {
    let all = blobs.usage();
    assert!(all.is_sorted(), "{all:?}");
    let found = all.into_iter().find(|(name, _)| name == service);
    let Usage { bytes, objects } = found.map(|(_, usage)| usage).unwrap_or_default();
    (bytes, objects)
}
