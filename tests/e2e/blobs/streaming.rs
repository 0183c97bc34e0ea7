//! Objects that are larger than what anybody holds of them.

use super::*;
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

/// Larger than all that this host may hold beside what it holds without a request.
const SIZE: u64 = 256 << 20;

/// One piece of it.
const PIECE: usize = 1 << 20;

/// How much a process holds at most until now, in bytes.
fn peak(host: &HostProcess) -> Result<u64> {
    let id = host.id().context("it runs")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line
        .context("Linux tells it")?
        .trim()
        .trim_end_matches(" kB");
    Ok(kilobytes.parse::<u64>()? << 10)
}

/// So many pieces, made as they are asked for.
fn pieces(count: u64) -> Body {
    let pieces = (0..count).map(|n| {
        let piece = Bytes::from(vec![n as u8; PIECE]);
        Ok(Frame::data(piece))
    });
    StreamBody::new(stream::iter(pieces)).boxed()
}

#[tokio::test]
async fn a_large_object_is_never_in_memory() -> Result<()> {
    let service = blobs("a").set("limits.deadline", json!("10m"));
    let host = with_containers(&[service]).await?;
    ask(&host, "PUT /a/c/small", &[], pieces(1))
        .await?
        .expect(204)?;
    plain(&host, "GET /a/c/small").await?.expect(200)?;
    let before = peak(&host)?;
    let count = SIZE / PIECE as u64;
    ask(&host, "PUT /a/c/large", &[], pieces(count))
        .await?
        .expect(204)?;
    let request = Request::get("/a/c/large").body(empty())?;
    let mut client = Client::http1(host.http);
    let mut answer = client.stream(request).await?;
    let mut read = 0;
    while let Some(frame) = answer.body_mut().frame().await {
        let data = frame?.into_data().unwrap_or_default();
        for byte in data {
            assert_eq!(byte, (read / PIECE as u64) as u8, "at {read}");
            read += 1;
        }
    }
    assert_eq!(read, SIZE);
    let more = peak(&host)?.saturating_sub(before);
    assert!(more < SIZE / 4, "{more} bytes more");
    Ok(())
}

/// Its object is not there, and whoever reads goes on reading what was there before.
#[tokio::test]
async fn a_client_that_breaks_off_changes_nothing() -> Result<()> {
    let host = with_containers(&[blobs("a")]).await?;
    ask(&host, "PUT /a/c/x", &[], full("before"))
        .await?
        .expect(204)?;
    let broken = stream::iter([
        Ok(Frame::data(Bytes::from(bytes(300_000)))),
        Err(std::io::Error::other("it breaks off")),
    ]);
    let put = ask(&host, "PUT /a/c/x", &[], StreamBody::new(broken).boxed());
    assert!(put.await.is_err(), "nobody hears an answer");
    assert_eq!(
        plain(&host, "GET /a/c/x").await?.expect(200)?.text(),
        "before"
    );

    ask(&host, "PUT /a/c/large", &[], pieces(30))
        .await?
        .expect(204)?;
    let request = Request::get("/a/c/large").body(empty())?;
    let mut client = Client::http1(host.http);
    let mut reading = client.stream(request).await?;
    let first = reading.body_mut().frame().await.context("it begins")??;
    let mut read = first.into_data().unwrap_or_default().len();
    ask(&host, "PUT /a/c/large", &[], full("after"))
        .await?
        .expect(204)?;
    plain(&host, "DELETE /a/c/large").await?.expect(204)?;
    while let Some(frame) = reading.body_mut().frame().await {
        read += frame?.into_data().unwrap_or_default().len();
    }
    assert_eq!(read, 30 * PIECE);
    Ok(())
}
