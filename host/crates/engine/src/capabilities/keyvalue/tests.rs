//! What guests see of their buckets.

use wasmtime::component::Resource;

use super::Limits;
use super::bucket::Bucket;
use super::error::Error;
use super::swap::CasError;
use crate::capabilities::View;
use crate::capabilities::tests::{Data, data, store};

fn open(data: &mut Data, identifier: &str) -> Result<Bucket, Error> {
    data.capabilities().open_bucket(identifier)
}

fn opened(data: &mut Data, identifier: &str) -> Resource<Bucket> {
    let bucket = open(data, identifier).unwrap();
    data.table.push(bucket).unwrap()
}

fn refusal<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Other(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("expected a refusal"),
    }
}

#[tokio::test]
async fn a_service_reaches_anothers_state_by_grant_only() {
    let (_dir, store) = store();
    let mut with = data(&store, &["product/stock"], Limits::default());
    let mut without = data(&store, &[], Limits::default());
    open(&mut with, "product/stock")
        .unwrap()
        .set("sku", b"7")
        .await
        .unwrap();
    assert!(matches!(
        open(&mut without, "product/stock"),
        Err(Error::AccessDenied)
    ));
    assert!(matches!(
        open(&mut with, "product/prices"),
        Err(Error::AccessDenied)
    ));
    let own = open(&mut without, "stock").unwrap();
    assert_eq!(
        own.get("sku").await.unwrap(),
        None,
        "a bucket of the same name is another one"
    );
    let default = open(&mut without, "").unwrap();
    default.set("k", b"v").await.unwrap();
    assert!(
        open(&mut without, "order/default")
            .unwrap()
            .exists("k")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn limits_are_told() {
    let (_dir, store) = store();
    let limits = Limits {
        key: 4,
        value: 8,
        page: 2,
        batch: 3,
        answer: 16,
        held: 10,
    };
    let mut data = data(&store, &[], limits);
    let bucket = open(&mut data, "").unwrap();
    bucket.set("four", &[0; 8]).await.unwrap();
    assert_eq!(
        refusal(bucket.set("fiver", b"").await),
        "expected a key of at most 4 bytes, found 5"
    );
    assert_eq!(
        refusal(bucket.set("k", &[0; 9]).await),
        "expected a value of at most 8 bytes, found 9"
    );
    refusal(bucket.get("fiver").await);
    refusal(bucket.exists("fiver").await);
    refusal(bucket.delete("fiver").await);
    refusal(bucket.increment("fiver", 1).await);

    let pair = |key: &str| (key.to_owned(), vec![0; 8]);
    let pairs = [pair("a"), pair("b"), pair("c"), pair("d")];
    refusal(bucket.set_many(&pairs).await);
    refusal(bucket.set_many(&[pair("a"), pair("fiver")]).await);
    assert!(
        !bucket.exists("a").await.unwrap(),
        "a batch is checked before it is begun"
    );
    bucket.set_many(&pairs[..3]).await.unwrap();
    let keys = |len: usize| {
        pairs[..len]
            .iter()
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(bucket.get_many(keys(2)).await.unwrap().len(), 2);
    refusal(bucket.get_many(keys(3)).await);
    refusal(bucket.get_many(keys(4)).await);
    refusal(bucket.delete_many(&keys(4)).await);
    assert_eq!(bucket.list(None).await.unwrap().keys, ["a", "b"]);
}

/// A guest can't say how many keys it wants: a short list must not cost a long one.
#[tokio::test]
async fn keys_come_in_short_pages() {
    let (_dir, store) = store();
    let bucket = open(&mut data(&store, &[], Limits::default()), "").unwrap();
    let pairs: Vec<_> = (0..250).map(|n| (format!("{n:03}"), Vec::new())).collect();
    bucket.set_many(&pairs).await.unwrap();
    let (mut pages, mut keys, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = bucket.list(cursor.as_deref()).await.unwrap();
        pages.push(page.keys.len());
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, [100, 100, 50]);
    assert!(keys.iter().eq(pairs.iter().map(|(key, _)| key)));
}

#[tokio::test]
async fn a_batch_tells_what_is_missing() {
    let (_dir, store) = store();
    let bucket = open(&mut data(&store, &[], Limits::default()), "").unwrap();
    bucket.set("b", b"2").await.unwrap();
    let found = bucket.get_many(vec!["a".into(), "b".into()]).await.unwrap();
    assert_eq!(found, [None, Some(("b".to_owned(), b"2".to_vec()))]);
}

#[tokio::test]
async fn a_number_that_is_none_is_told() {
    let (_dir, store) = store();
    let bucket = open(&mut data(&store, &[], Limits::default()), "").unwrap();
    bucket.set("n", b"seven").await.unwrap();
    let text = refusal(bucket.increment("n", 1).await);
    assert!(
        text.contains("\"n\"") && text.contains("\"seven\""),
        "{text}"
    );
}

#[tokio::test]
async fn a_refused_swap_gives_a_handle_that_can_go_on() {
    let (_dir, store) = store();
    let mut data = data(&store, &[], Limits::default());
    let bucket = opened(&mut data, "");
    let mut view = data.capabilities();
    let first = view.new_cas(&bucket, "k".into()).await.unwrap();
    let second = view.new_cas(&bucket, "k".into()).await.unwrap();
    assert_eq!(view.cas_seen(&first).unwrap(), None);
    view.swap_cas(first, b"1").await.unwrap();
    let Err(CasError::Stale(again)) = view.swap_cas(second, b"2").await else {
        panic!("a stale swap was made")
    };
    assert_eq!(view.cas_seen(&again).unwrap().unwrap(), b"1");
    view.swap_cas(again, b"2").await.unwrap();
    assert_eq!(
        open(&mut data, "")
            .unwrap()
            .get("k")
            .await
            .unwrap()
            .unwrap(),
        b"2"
    );
}

#[tokio::test]
async fn handles_keep_a_bounded_amount() {
    let (_dir, store) = store();
    let mut data = data(
        &store,
        &[],
        Limits {
            held: 20,
            ..Limits::default()
        },
    );
    let bucket = opened(&mut data, "");
    data.table
        .get(&bucket)
        .unwrap()
        .set("k", &[0; 9])
        .await
        .unwrap();
    let mut view = data.capabilities();
    let one = view.new_cas(&bucket, "k".into()).await.unwrap();
    let two = view.new_cas(&bucket, "k".into()).await.unwrap();
    refusal(view.new_cas(&bucket, "k".into()).await);
    view.drop_cas(one).unwrap();
    view.new_cas(&bucket, "k".into()).await.unwrap();
    view.swap_cas(two, b"").await.unwrap();
    view.new_cas(&bucket, "k".into()).await.unwrap();
}

#[tokio::test]
async fn open_handles_are_bounded_by_the_table() {
    let (_dir, store) = store();
    let mut data = data(&store, &[], Limits::default());
    data.table.set_max_capacity(1);
    let bucket = opened(&mut data, "");
    let text = refusal(data.capabilities().new_cas(&bucket, "k".into()).await);
    assert!(text.contains("drop"), "{text}");
}
