//! One object: written, read, replaced.

use std::task::Poll;

use super::{AMPLE, at, bytes, names, object, pictures, put, read, rest, usage, write};
use crate::conformance::Mortal;
use crate::{BlobError, MAX_OBJECT_NAME, ObjectId};

/// Whatever its length, and in whatever pieces it comes and goes.
pub async fn an_object_is_what_was_written_last(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let picture = object(&pictures(blobs).await, "a.png");
    assert_eq!(read(blobs, &picture).await, None);
    let lengths = [0, 1, 1000, (256 << 10) - 1, 256 << 10, 0, 700_001, 3];
    for (seed, length) in lengths.into_iter().enumerate() {
        let content = bytes(length, seed);
        for piece in [64 << 10, 7 + length / 3, length.max(1)] {
            write(blobs, &picture, &content, piece).await.unwrap();
            let info = blobs.head(&picture).await.unwrap().unwrap();
            assert_eq!((info.size, info.created), (length as u64, at(1)));
            let mut reading = blobs.open(&picture, 0..u64::MAX).await.unwrap();
            assert_eq!(reading.info(), info);
            let found = rest(&mut *reading, piece).await.unwrap();
            assert!(found == content, "{length} bytes by {piece}");
        }
    }
}

/// From the first byte to before the last; what is beyond the end is not there.
pub async fn an_object_is_read_in_parts(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let picture = object(&pictures(blobs).await, "a.png");
    let content = bytes(600_000, 1);
    put(blobs, &picture, &content).await;
    for (start, end) in [
        (0, 600_000),
        (0, 1),
        (599_999, 600_000),
        (255_000, 270_000),
        (100, u64::MAX),
        (7, 7),
        (600_000, 600_000),
        (600_001, 700_000),
        (u64::MAX, u64::MAX),
        (0, 0),
    ] {
        let mut part = blobs.open(&picture, start..end).await.unwrap();
        assert_eq!(part.info().size, 600_000);
        let found = rest(&mut *part, 50_000).await.unwrap();
        let [start, end] = [start, end].map(|at| at.min(600_000) as usize);
        assert!(found == content[start..end], "{start}..{end}");
    }
}

/// Who waits for several things asks again.
pub async fn a_read_that_is_dropped_has_read_nothing(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let picture = object(&pictures(blobs).await, "a.png");
    let content = bytes(300_000, 1);
    put(blobs, &picture, &content).await;
    let mut reading = blobs.open(&picture, 0..u64::MAX).await.unwrap();
    let mut all = Vec::new();
    while reading.left() > 0 {
        drop(reading.read(1000));
        match futures::poll!(reading.read(50_000)) {
            Poll::Ready(read) => all.extend_from_slice(&read.unwrap()),
            Poll::Pending => all.extend_from_slice(&reading.read(7000).await.unwrap()),
        }
    }
    assert!(all == content);
}

/// Whatever characters an engine's own names may have.
pub async fn an_object_has_any_name(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let long = "é".repeat(MAX_OBJECT_NAME / 2);
    let all = [
        " ",
        "\0",
        "\0\0",
        "a",
        "a\0b",
        "a.*",
        ">",
        "A",
        "a/b",
        "../../a",
        "/",
        "a\n",
        "%61",
        "c",
        "o",
        "\u{10ffff}",
        "é",
        &long,
    ];
    for name in all {
        put(blobs, &object(&pictures, name), name.as_bytes()).await;
    }
    for name in all {
        let found = read(blobs, &object(&pictures, name)).await;
        assert_eq!(found.as_deref(), Some(name.as_bytes()), "{name:?}");
    }
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    assert_eq!(names(blobs, &pictures, 3).await, sorted);
    let all = all.map(str::to_owned);
    blobs.delete(&pictures, &all).await.unwrap();
    assert_eq!(names(blobs, &pictures, 3).await, [""; 0]);
}

/// By every way, and nothing is changed.
pub async fn a_name_of_an_object_that_can_not_be_one_is_refused(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    put(blobs, &object(&pictures, "a"), b"1").await;
    for bad in ["", &"x".repeat(MAX_OBJECT_NAME + 1)] {
        let refused = ObjectId::new(pictures.clone(), bad);
        assert!(matches!(refused, Err(BlobError::BadObject { .. })));
        let together = ["a".to_owned(), bad.to_owned()];
        let refused = blobs.delete(&pictures, &together).await;
        assert!(matches!(refused, Err(BlobError::BadObject { .. })));
    }
    assert_eq!(names(blobs, &pictures, 10).await, ["a"]);
}

/// But to remove it is no fault.
pub async fn an_object_that_is_not_there_is_told(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let missing = object(&pictures, "a.png");
    assert_eq!(read(blobs, &missing).await, None);
    let name = ["a.png".to_owned()];
    blobs.delete(&pictures, &name).await.unwrap();
    put(blobs, &missing, b"1").await;
    let twice = [name.clone(), name].concat();
    blobs.delete(&pictures, &twice).await.unwrap();
    assert_eq!(read(blobs, &missing).await, None);
    assert_eq!(usage(blobs, "product"), (0, 0));
}

/// Neither of its bytes nor of its name: what was there before stays.
pub async fn an_upload_that_is_dropped_leaves_nothing(mut engine: impl Mortal) {
    let blobs = engine.blobs();
    let picture = object(&pictures(&*blobs).await, "a.png");
    put(&*blobs, &picture, b"before").await;
    for length in [0, 10, 400_000] {
        let mut upload = blobs.begin("product", AMPLE).await.unwrap();
        upload.write(bytes(length, 0).into()).await.unwrap();
        drop(upload);
        let upload = blobs.begin("product", AMPLE).await.unwrap();
        drop(upload.finish(picture.clone(), at(2)));
    }
    drop(blobs);
    engine.crash();
    let blobs = &*engine.blobs();
    assert_eq!(read(blobs, &picture).await.as_deref(), Some(&b"before"[..]));
    assert_eq!(usage(blobs, "product"), (6, 1));
}

/// Whatever becomes of its name, and of its container.
pub async fn an_object_stays_whole_while_it_is_read(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let picture = object(&pictures, "a.png");
    let content = bytes(700_000, 3);
    for step in 0..3 {
        blobs.create(&pictures, at(0)).await.unwrap();
        put(blobs, &picture, &content).await;
        let mut reading = blobs.open(&picture, 0..u64::MAX).await.unwrap();
        let first = reading.read(1000).await.unwrap();
        match step {
            0 => put(blobs, &picture, b"another").await,
            1 => {
                let name = ["a.png".to_owned()];
                blobs.delete(&pictures, &name).await.unwrap();
            }
            _ => blobs.purge("product").await.unwrap(),
        }
        blobs.collect().await.unwrap();
        let found = [&first[..], &rest(&mut *reading, 50_000).await.unwrap()].concat();
        assert!(found == content, "{step}");
    }
    assert_eq!(read(blobs, &picture).await, None);
}

/// With all that is known of it.
pub async fn an_object_outlives_a_crash(mut engine: impl Mortal) {
    let content = bytes(300_000, 5);
    let blobs = engine.blobs();
    let pictures = pictures(&*blobs).await;
    for name in ["a", "b", "gone"] {
        put(&*blobs, &object(&pictures, name), &content).await;
    }
    blobs.delete(&pictures, &["gone".to_owned()]).await.unwrap();
    drop(blobs);
    engine.crash();
    let blobs = &*engine.blobs();
    blobs.collect().await.unwrap();
    assert_eq!(blobs.created(&pictures).await.unwrap(), Some(at(0)));
    assert_eq!(names(blobs, &pictures, 10).await, ["a", "b"]);
    for name in ["a", "b"] {
        let picture = object(&pictures, name);
        assert!(read(blobs, &picture).await.unwrap() == content);
        let info = blobs.head(&picture).await.unwrap().unwrap();
        assert_eq!(info.created, at(1));
    }
    assert_eq!(usage(blobs, "product"), (600_000, 2));
}
