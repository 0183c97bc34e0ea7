//! What guests see of their blobs.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, StreamError};

use super::Limits;
use super::error::Error;
use super::outgoing::Outgoing;
use crate::capabilities::View;
use crate::capabilities::tests::{Data, blob_data, store};
use stoa_store::{ObjectId, Source};

const LIMITS: Limits = Limits {
    quota: 200_000,
    open: 3,
    whole: 1000,
    names: 2,
};

fn refusal<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Told(text)) => text,
        Err(Error::Trap(fault)) => panic!("{fault:?}"),
        Ok(_) => panic!("expected a refusal"),
    }
}

fn new(data: &mut Data) -> Resource<Outgoing> {
    data.table.push(Outgoing::default()).unwrap()
}

async fn begun(data: &mut Data) -> (Resource<Outgoing>, Resource<DynOutputStream>) {
    let value = new(data);
    let body = data.capabilities().begin_body(&value).await.unwrap();
    (value, body.unwrap())
}

/// An object of the container `c`, which is there.
async fn object(data: &mut Data, name: &str) -> ObjectId {
    let container = data.capabilities().create("c").await.unwrap();
    container.object_to_write(name).unwrap()
}

/// Writes as a guest does.
async fn write(
    data: &mut Data,
    body: &Resource<DynOutputStream>,
    bytes: &[u8],
) -> Result<(), StreamError> {
    let body = data.table.get_mut(body).unwrap();
    for piece in bytes.chunks(64 << 10) {
        assert!(body.write_ready().await? >= piece.len());
        body.write(piece.to_vec().into())?;
    }
    Ok(())
}

async fn put(data: &mut Data, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let target = object(data, name).await;
    let (value, body) = begun(data).await;
    let written = write(data, &body, bytes).await;
    data.table.delete(body).unwrap();
    data.capabilities().aim(&value, target).unwrap();
    let finished = data.capabilities().finish_outgoing(value).await;
    assert!(written.is_ok() || finished.is_err());
    finished
}

async fn whole(data: &mut Data, name: &str, range: (u64, u64)) -> Result<Vec<u8>, Error> {
    let object = object(data, name).await;
    let value = data.capabilities().open_incoming(&object, range).await?;
    data.capabilities().consume_whole(value).await
}

#[tokio::test]
async fn an_object_is_there_when_its_value_is_finished() {
    let (_dir, store) = store();
    let mut data = blob_data(&store, LIMITS);
    let target = object(&mut data, "a").await;
    let (value, body) = begun(&mut data).await;
    write(&mut data, &body, b"some").await.unwrap();
    data.capabilities().aim(&value, target.clone()).unwrap();
    write(&mut data, &body, b"thing").await.unwrap();
    data.table.delete(body).unwrap();
    let early = whole(&mut data, "a", (0, u64::MAX)).await;
    assert_eq!(
        refusal(early),
        "there is no object \"a\" in the container c"
    );
    data.capabilities().finish_outgoing(value).await.unwrap();
    assert_eq!(
        whole(&mut data, "a", (0, u64::MAX)).await.unwrap(),
        b"something"
    );
    assert_eq!(whole(&mut data, "a", (4, 6)).await.unwrap(), b"thi");

    let empty = new(&mut data);
    data.capabilities().aim(&empty, target).unwrap();
    data.capabilities().finish_outgoing(empty).await.unwrap();
    assert_eq!(whole(&mut data, "a", (0, u64::MAX)).await.unwrap(), b"");
}

#[tokio::test]
async fn a_value_has_one_body_and_one_name() {
    let (_dir, store) = store();
    let mut data = blob_data(&store, LIMITS);
    let target = object(&mut data, "a").await;
    let (value, body) = begun(&mut data).await;
    let second = data.capabilities().begin_body(&value).await.unwrap();
    assert!(second.is_none());
    data.capabilities().aim(&value, target.clone()).unwrap();
    let again = data.capabilities().aim(&value, target);
    assert!(refusal(again).starts_with("expected a value without a name, found the one of \"a\""));
    let early = data.capabilities().finish_outgoing(value).await;
    assert!(matches!(early, Err(Error::Trap(_))), "its stream is there");
    data.table.delete(body).unwrap();

    let (nameless, body) = begun(&mut data).await;
    data.table.delete(body).unwrap();
    let refused = data.capabilities().finish_outgoing(nameless).await;
    assert!(refusal(refused).contains("expected `write-data` to say where"));
}

#[tokio::test]
async fn what_is_over_the_quota_is_told_by_the_stream_and_at_the_end() {
    let (_dir, store) = store();
    let mut data = blob_data(&store, LIMITS);
    put(&mut data, "kept", &[1; 150_000]).await.unwrap();
    let target = object(&mut data, "a").await;
    let (value, body) = begun(&mut data).await;
    data.capabilities().aim(&value, target).unwrap();
    // The first piece beyond is taken before it is known; the next one is not.
    let mut told = Ok(());
    while told.is_ok() {
        told = write(&mut data, &body, &[1; 60_000]).await;
    }
    let told = told.unwrap_err().to_string();
    assert!(told.contains("150000 bytes of blobs, of 200000"), "{told}");
    let closed = write(&mut data, &body, b"more").await;
    assert!(matches!(closed, Err(StreamError::Closed)));
    data.table.delete(body).unwrap();
    let refused = data.capabilities().finish_outgoing(value).await;
    assert!(refusal(refused).contains("raise `blobs` in [service.order.limits]"));
    let copied = ("c", "kept");
    let copy = data
        .capabilities()
        .copy(copied, ("c", "b"), Source::Stays)
        .await;
    assert!(refusal(copy).contains("150000 more don't fit"));
    put(&mut data, "a", &[2; 50_000]).await.unwrap();
}

#[tokio::test]
async fn limits_are_told() {
    let (_dir, store) = store();
    let mut data = blob_data(&store, LIMITS);
    put(&mut data, "a", &[7; 1001]).await.unwrap();
    let large = whole(&mut data, "a", (0, 1000)).await;
    let told = "expected at most 1000 bytes to read at once, found 1001: read them as a stream";
    assert_eq!(refusal(large), told);
    assert_eq!(whole(&mut data, "a", (1, 1000)).await.unwrap(), [7; 1000]);

    let target = object(&mut data, "a").await;
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(begun(&mut data).await.0);
    }
    let range = (0, u64::MAX);
    let reading = data
        .capabilities()
        .open_incoming(&target, range)
        .await
        .unwrap();
    let more = data.capabilities().open_incoming(&target, range).await;
    let told =
        "expected at most 3 objects to be read and written at a time: drop those that are done";
    assert_eq!(refusal(more), told);
    let value = new(&mut data);
    let body = data.capabilities().begin_body(&value).await.unwrap();
    assert!(body.is_none());
    data.capabilities().aim(&value, target.clone()).unwrap();
    let refused = data.capabilities().finish_outgoing(value).await;
    assert_eq!(refusal(refused), told);
    data.table.delete(reading).unwrap();
    let again = data.capabilities().open_incoming(&target, range).await;
    again.unwrap();

    let container = data.capabilities().find("c").await.unwrap();
    let many = ["a", "b", "c"].map(str::to_owned);
    let told = "expected at most 2 names at once, found 3";
    assert_eq!(refusal(container.delete(&many).await), told);
    let bad = container.object("").map(drop);
    assert_eq!(
        refusal(bad),
        "expected an object's name of 1 to 1024 bytes, found 0"
    );
    let bad = data.capabilities().create("a/b/c").await;
    assert!(refusal(bad).contains("found \"b/c\""));
}

#[tokio::test]
async fn names_come_in_parts_and_a_container_is_cleared_whole() {
    let (_dir, store) = store();
    let mut data = blob_data(&store, LIMITS);
    for name in ["a", "b", "c", "d", "e"] {
        put(&mut data, name, b"1").await.unwrap();
    }
    let container = data.capabilities().find("c").await.unwrap();
    let mut names = container.names();
    let mut next = async |most| {
        let (names, ended) = names.next(most).await.unwrap();
        (names.concat(), ended)
    };
    assert_eq!(next(0).await, (String::new(), false));
    assert_eq!(next(1).await, ("a".to_owned(), false));
    assert_eq!(next(u64::MAX).await, ("bc".to_owned(), false));
    assert_eq!(next(2).await, ("de".to_owned(), true));
    assert_eq!(next(2).await, (String::new(), true));
    container.clear().await.unwrap();
    assert_eq!(container.names().next(9).await.unwrap(), (Vec::new(), true));
    assert!(data.capabilities().exists("c").await.unwrap());
    data.capabilities().remove("c").await.unwrap();
    assert!(!data.capabilities().exists("c").await.unwrap());
    let gone = container.created().await;
    assert_eq!(refusal(gone), "there is no container c: create it first");
}

/// And the host's log has the reason.
#[tokio::test]
async fn a_failing_disk_is_not_shown_to_guests() {
    let (_dir, store) = store();
    let mut data = blob_data(&store, LIMITS);
    let target = object(&mut data, "a").await;
    store.close();
    let (value, body) = begun(&mut data).await;
    data.table.delete(body).unwrap();
    data.capabilities().aim(&value, target).unwrap();
    let told = data.capabilities().finish_outgoing(value).await;
    assert_eq!(
        refusal(told),
        "the store can't do this now: the host's log has the reason"
    );
}
