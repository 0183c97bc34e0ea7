//! Containers, and what is in them.

use super::{AMPLE, at, container, names, object, pictures, put, read, usage};
use crate::conformance::Mortal;
use crate::{BlobError, ContainerId, StoreError};

/// A second time changes nothing.
pub async fn a_container_is_made_once(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let one = container("product", "pictures");
    assert_eq!(blobs.created(&one).await.unwrap(), None);
    blobs.create(&one, at(5)).await.unwrap();
    put(blobs, &object(&one, "a"), b"1").await;
    blobs.create(&one, at(9)).await.unwrap();
    assert_eq!(blobs.created(&one).await.unwrap(), Some(at(5)));
    assert_eq!(names(blobs, &one, 10).await, ["a"]);
}

/// And an object needs its container, until it is made again: empty.
pub async fn a_container_goes_with_what_is_in_it(mut engine: impl Mortal) {
    let blobs = engine.blobs();
    let one = pictures(&*blobs).await;
    let other = container("product", "others");
    blobs.create(&other, at(0)).await.unwrap();
    for n in 0..300 {
        put(&*blobs, &object(&one, &n.to_string()), b"same").await;
    }
    put(&*blobs, &object(&other, "kept"), b"same").await;
    let late = blobs.begin("product", AMPLE).await.unwrap();
    blobs.remove(&one).await.unwrap();
    blobs.remove(&one).await.unwrap();
    let refused = late.finish(object(&one, "late"), at(1)).await;
    assert!(
        matches!(&refused, Err(BlobError::NoContainer(missing)) if *missing == one),
        "{refused:?}"
    );
    drop(blobs);
    engine.crash();
    let blobs = &*engine.blobs();
    assert_eq!(blobs.created(&one).await.unwrap(), None);
    blobs.create(&one, at(0)).await.unwrap();
    assert_eq!(names(blobs, &one, 10).await, [""; 0]);
    let kept = read(blobs, &object(&other, "kept")).await;
    assert_eq!(kept.as_deref(), Some(&b"same"[..]));
    assert_eq!(usage(blobs, "product"), (4, 1));
}

/// Whatever their names look like together; and names have the rules of buckets'.
pub async fn containers_do_not_overlap(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let all = [
        ("a", "b"),
        ("a", "bc"),
        ("ab", "c"),
        ("ab", "b"),
        ("A", "b"),
        ("a", "b.c"),
        ("a b", "c"),
    ];
    let all = all.map(|(service, name)| container(service, name));
    for one in &all {
        blobs.create(one, at(0)).await.unwrap();
        put(blobs, &object(one, "k"), one.to_string().as_bytes()).await;
    }
    for one in &all {
        let found = read(blobs, &object(one, "k")).await;
        assert_eq!(found.as_deref(), Some(one.to_string().as_bytes()));
        assert_eq!(names(blobs, one, 10).await, ["k"]);
    }
    blobs.remove(&all[0]).await.unwrap();
    for one in &all[1..] {
        assert!(read(blobs, &object(one, "k")).await.is_some(), "{one}");
    }
    for bad in ["", "a/b", "a\0b", "a\nb", &"x".repeat(256)] {
        let refused = [
            ContainerId::new("product", bad).map(drop),
            ContainerId::new(bad, "pictures").map(drop),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(StoreError::BadName { .. })), "{bad}");
        }
        let refused = blobs.begin(bad, AMPLE).await.map(drop);
        assert!(matches!(refused, Err(BlobError::Store(_))), "{bad}");
        let refused = blobs.purge(bad).await;
        assert!(matches!(refused, Err(StoreError::BadName { .. })), "{bad}");
    }
}

/// In the order of bytes, each once, though others come and go between the pages.
pub async fn a_container_lists_its_objects(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    let all: Vec<_> = (0..25).map(|n| format!("k{:02}", 2 * n)).collect();
    for name in all.iter().rev() {
        put(blobs, &object(&pictures, name), b"1").await;
    }
    for limit in [0, 1, 24, 25, 26] {
        assert_eq!(names(blobs, &pictures, limit).await, all, "{limit}");
    }
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = blobs.list(&pictures, cursor.as_deref(), 10).await.unwrap();
        seen.extend(page.keys);
        let last = seen.last().unwrap().clone();
        put(blobs, &object(&pictures, &format!("a{last}")), b"1").await;
        blobs.delete(&pictures, &[last]).await.unwrap();
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
    let nowhere = container("product", "nowhere");
    assert_eq!(names(blobs, &nowhere, 10).await, [""; 0]);
}

/// Rather than taken for the beginning or the end.
pub async fn what_is_no_cursor_of_a_container_is_refused(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let pictures = pictures(blobs).await;
    for bad in ["!", "_w", "\u{e9}", "a b"] {
        let refused = blobs.list(&pictures, Some(bad), 10).await;
        let is_told = matches!(refused, Err(BlobError::Store(StoreError::BadCursor)));
        assert!(is_told, "{bad:?}");
    }
}

/// Also what others keep the same of, and no other; and it can begin anew.
pub async fn a_purge_takes_all_blobs_of_one_service(engine: impl Mortal) {
    let blobs = &*engine.blobs();
    let own = [container("order", "a"), container("order", "b")];
    let others = ["order2", "orde", "order "].map(|service| container(service, "a"));
    for one in own.iter().chain(&others) {
        blobs.create(one, at(0)).await.unwrap();
        put(blobs, &object(one, "k"), b"the same").await;
    }
    for _ in 0..2 {
        blobs.purge("order").await.unwrap();
        assert_eq!(usage(blobs, "order"), (0, 0));
    }
    for one in &own {
        assert_eq!(blobs.created(one).await.unwrap(), None);
        assert_eq!(read(blobs, &object(one, "k")).await, None);
    }
    for one in &others {
        let found = read(blobs, &object(one, "k")).await;
        assert_eq!(found.as_deref(), Some(&b"the same"[..]), "{one}");
    }
    blobs.create(&own[0], at(1)).await.unwrap();
    put(blobs, &object(&own[0], "k"), b"new").await;
    assert_eq!(names(blobs, &own[0], 10).await, ["k"]);
}
