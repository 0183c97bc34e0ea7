//! Objects under other names.

use super::{AMPLE, at, bytes, container, names, object, pictures, put, read, usage};
use crate::conformance::Mortal;
use crate::{BlobError, Blobs, Copying, ObjectId, Source};

pub(super) async fn copy(
    blobs: &dyn Blobs,
    from: &ObjectId,
    to: &ObjectId,
    source: Source,
) -> Result<(), BlobError> {
    let copying = Copying {
        source,
        quota: AMPLE,
        now: at(7),
    };
    blobs.copy(from, to, copying).await
}

/// Either can be replaced or removed without the other; also in another container, and
/// over what is there.
pub async fn a_copy_is_another_object(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let archive = container("archive", "old");
    blobs.create(&archive, at(0)).await.unwrap();
    let (from, content) = (object(&pictures, "a"), bytes(300_000, 1));
    put(blobs, &from, &content).await;
    let copies = [object(&pictures, "b"), object(&archive, "a")];
    put(blobs, &copies[1], b"what it replaces").await;
    for to in &copies {
        copy(blobs, &from, to, Source::Stays).await.unwrap();
        let info = blobs.head(to).await.unwrap().unwrap();
        assert_eq!((info.size, info.created), (300_000, at(7)));
    }
    copy(blobs, &from, &from, Source::Stays).await.unwrap();
    assert_eq!(usage(blobs, "product"), (600_000, 2));
    assert_eq!(usage(blobs, "archive"), (300_000, 1));
    put(blobs, &from, b"new").await;
    blobs.delete(&pictures, &["b".to_owned()]).await.unwrap();
    blobs.collect().await.unwrap();
    assert_eq!(read(blobs, &copies[0]).await, None);
    assert!(read(blobs, &copies[1]).await.unwrap() == content);
    assert_eq!(read(blobs, &from).await.as_deref(), Some(&b"new"[..]));
}

/// And nowhere else. To where it is already is no way.
pub async fn a_moved_object_is_where_it_went(mut engine: impl Mortal) {
    let blobs = engine.blobs();
    let pictures = pictures(&*blobs).await;
    let [from, to] = ["a", "b"].map(|name| object(&pictures, name));
    put(&*blobs, &from, b"content").await;
    put(&*blobs, &to, b"replaced").await;
    let moved = copy(&*blobs, &from, &from, Source::Goes).await;
    moved.unwrap();
    assert_eq!(names(&*blobs, &pictures, 10).await, ["a", "b"]);
    copy(&*blobs, &from, &to, Source::Goes).await.unwrap();
    drop(blobs);
    engine.crash();
    let blobs = &*engine.blobs();
    blobs.collect().await.unwrap();
    assert_eq!(names(blobs, &pictures, 10).await, ["b"]);
    assert_eq!(read(blobs, &to).await.as_deref(), Some(&b"content"[..]));
    assert_eq!(usage(blobs, "product"), (7, 1));
}

/// Something to copy, and a container to copy it to.
pub async fn a_copy_needs_its_ends(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let [there, missing] = ["a", "b"].map(|name| object(&pictures, name));
    let nowhere = object(&container("product", "nowhere"), "a");
    put(blobs, &there, b"1").await;
    for source in [Source::Stays, Source::Goes] {
        for to in [&there, &missing] {
            let refused = copy(blobs, &missing, to, source).await;
            assert!(
                matches!(&refused, Err(BlobError::NoObject(told)) if *told == missing),
                "{refused:?}"
            );
        }
        let refused = copy(blobs, &there, &nowhere, source).await;
        assert!(
            matches!(&refused, Err(BlobError::NoContainer(told)) if told == nowhere.container()),
            "{refused:?}"
        );
    }
    assert_eq!(read(blobs, &there).await.as_deref(), Some(&b"1"[..]));
    assert_eq!(usage(blobs, "product"), (1, 1));
}
