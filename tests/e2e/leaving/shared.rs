//! Calls that others wait for, or that wait for others.

use super::*;

/// Takes a connection and the head of a request; then waits until it is closed.
async fn is_left(listener: &TcpListener, leave: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await??;
    raw::until(&mut stream, "\r\n\r\n").await?;
    leave().await?;
    let end = timeout(PATIENCE, stream.read_u8()).await;
    let end = end.context("the host keeps its connection")?;
    assert!(end.is_err(), "{end:?} comes after the request");
    Ok(())
}

#[tokio::test]
async fn whom_a_call_waits_for_is_left_with_it() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let target = json!({ "call": "test:sandbox/outgoing.fetch" });
    let route = json!({ "target": target, "access": "public", "errors": { "err": 418 } });
    let fetcher = Service::new("fetcher", guests::OUTGOING)
        .route("GET /fetch", route)
        .set("grants.http", json!([format!("http://{address}")]))
        .set("limits.deadline", json!("1h"));
    let host = serving(&[fetcher]).await?;
    let legacy = json!({
        "targets": [format!("http://{address}")],
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
        "limits": { "deadline": "1h" },
    });
    let admin = host.admin()?;
    let declared = admin.json(Method::PUT, "/v1/upstreams/legacy", &legacy);
    declared.await?.expect(200)?;
    let fetch = format!("/fetch?authority={address}&path=%2Fx");
    for path in ["/legacy/x", &fetch] {
        for way in WAYS {
            let client = Waiting::begin(&host, way, "GET", path).await?;
            let mut rest = None;
            is_left(&listener, async || {
                rest = client.leave(way).await?;
                Ok(())
            })
            .await
            .with_context(|| format!("{path}: {way:?}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_shared_call_ends_with_the_last_who_waits_for_it() -> Result<()> {
    let rule = json!({
        "target": { "call": "test:misbehave/faults.spin" },
        "access": "public",
        "cache": { "max_age": "1h" },
    });
    let host = serving(&[faults().route("GET /cached", rule)]).await?;
    for way in WAYS {
        let first = Waiting::begin(&host, way, "GET", "/cached").await?;
        until(&host, "faults", |pool| pool["busy"] == 1).await?;
        let second = Waiting::begin(&host, way, "GET", "/cached").await?;
        let _rests = (first.leave(way).await?, second.leave(way).await?);
        is_freed(&host, "faults").await?;
        assert_eq!(calls(&host).await?, 1, "{way:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_for_more_than_its_client_ends_at_once_too() -> Result<()> {
    let host = told("").await?;
    for begin in ["GET /cached", "POST /keyed"] {
        for way in [Way::Close, Way::Reset] {
            let asks = format!(
                "{begin} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nidempotency-key: {way:?}\r\n\r\n"
            );
            let stream = raw::begin(host.http, asks.as_bytes()).await?;
            until(&host, "faults", |pool| pool["busy"] == 1).await?;
            Waiting::Http1(stream).leave(way).await?;
            let freed = is_freed(&host, "faults").await;
            freed.with_context(|| format!("{begin}: {way:?}"))?;
        }
    }
    Ok(())
}
