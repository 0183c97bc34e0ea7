//! What a client sends behind a request, and leaves.

use super::*;

/// So many requests of 1 KB, as they stand behind another one.
fn behind(count: usize) -> String {
    let padding = "x".repeat(960);
    format!("GET /calls HTTP/1.1\r\nhost: a\r\nx-padding: {padding}\r\n\r\n").repeat(count)
}

#[tokio::test]
async fn what_stands_behind_a_call_does_not_hide_that_its_client_leaves() -> Result<()> {
    let host = told("").await?;
    let little = "GET /we".to_owned();
    let much = behind(200);
    let body = "GET /spin HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n";
    for (head, rest) in [
        ("GET /spin HTTP/1.1\r\nhost: a\r\n\r\n", &little),
        ("GET /spin HTTP/1.1\r\nhost: a\r\n\r\n", &much),
        (
            "POST /cancel HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
            &much,
        ),
        // Its function takes none.
        (body, &much),
    ] {
        let mut stream = raw::begin(host.http, head.as_bytes()).await?;
        until(&host, "faults", |pool| pool["busy"] == 1).await?;
        stream.write_all(rest.as_bytes()).await?;
        drop(stream);
        let freed = is_freed(&host, "faults").await;
        freed.with_context(|| format!("{} bytes behind {head:?}", rest.len()))?;
    }
    Ok(())
}

#[tokio::test]
async fn what_stands_behind_a_call_is_answered_after_it() -> Result<()> {
    let host = told("").await?;
    let last = "GET /calls HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for method in ["GET", "POST"] {
        let head = format!("{method} /block/200 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        let all = [&*head, &*behind(200), last].concat();
        let answers = raw::exchange(host.http, all.as_bytes()).await?;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 202, "{method}");
    }
    Ok(())
}

#[tokio::test]
async fn who_puts_too_much_behind_a_call_is_cut_off() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    authority
        .issue(&["localhost"])?
        .write(folder.path(), "own")?;
    let host = told(&tls::settings(folder.path(), &["own"], "")).await?;
    let all = [
        "GET /spin HTTP/1.1\r\nhost: localhost\r\n\r\n",
        &behind(3000),
    ]
    .concat();
    let mut stream = TcpStream::connect(host.http).await?;
    // It may break off before all is sent.
    let _ = timeout(PATIENCE, stream.write_all(all.as_bytes())).await?;
    assert_eq!(raw::rest(&mut stream).await?, "");
    is_freed(&host, "faults").await?;
    assert_eq!(rejections(&host, "pipelined", 1).await?, 1);
    let dialer = Dialer::new("localhost", &authority)?;
    let mut stream = dialer.dial(host.https().await?, &["http/1.1"]).await?;
    let _ = timeout(PATIENCE, stream.write_all(all.as_bytes())).await?;
    let _ = timeout(PATIENCE, stream.read_u8())
        .await
        .context("it stays open")?;
    is_freed(&host, "faults").await?;
    assert_eq!(rejections(&host, "pipelined", 2).await?, 2);
    Ok(())
}
