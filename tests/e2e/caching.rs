//! Answers that are not made twice: entity tags, 304, and the response cache.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, PATIENCE, empty, json_request};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::{guests, hello, host_with, serving};

/// `GET /count/{key}` counts its runs, and fails while the key holds no number;
/// `/counted` counts its runs by `wasi:http`.
fn services(cache: Value) -> [Service; 2] {
    let route = |target: Value| json!({ "target": target, "access": "public", "cache": cache });
    let state = Service::new("state", guests::STATE)
        .route(
            "GET /count/{key}",
            route(json!({ "call": "test:state/counter.increment" })),
        )
        .call("PUT /keys/{key}", "test:state/counter.set");
    let counted = Service::new("counted", guests::COUNTED_P2)
        .set("pool.max", json!(1))
        .route("GET /counted", route(json!("http")))
        .http("/counted/*");
    [state, counted]
}

async fn get(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Client::http1(host.http).send(request.body(empty())?).await
}

async fn text(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<String> {
    Ok(get(host, path, headers).await?.expect(200)?.text())
}

#[tokio::test]
async fn every_read_of_a_function_has_a_tag() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let whole = host.get("/hello/Ada").await?.expect(200)?;
    let tag = whole.header("etag")?.to_owned();
    assert_eq!(host.get("/hello/Ada").await?.header("etag")?, tag);
    assert_ne!(host.get("/hello/Bob").await?.header("etag")?, tag);
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let short = get(&host, "/hello/Ada", &[("if-none-match", &known)]).await?;
        assert_eq!(
            (short.status.as_u16(), short.body.len()),
            (304, 0),
            "{known}"
        );
        assert_eq!(short.header("etag")?, tag);
        ensure!(short.header("content-type").is_err());
    }
    let other = get(&host, "/hello/Ada", &[("if-none-match", "\"x\"")]).await?;
    assert_eq!(other.expect(200)?.body, whole.body);
    let head = Request::head("/hello/Ada").header("if-none-match", &tag);
    let head = Client::http1(host.http).send(head.body(empty())?).await?;
    assert_eq!(head.status, 304);
    Ok(())
}

#[tokio::test]
async fn who_wants_another_answer_gets_none() -> Result<()> {
    let [state, _] = services(json!("1h"));
    let host = serving(&[hello(), state]).await?;
    for path in ["/hello/Ada", "/count/a"] {
        let tag = host.get(path).await?.header("etag")?.to_owned();
        // Each run of the other counts on: its tag is the next one's no more.
        for (wanted, status) in [("\"zz\"", 412), ("*", 200), (&*format!("W/{tag}"), 412)] {
            let answer = get(&host, path, &[("if-match", wanted)]).await?;
            assert_eq!(answer.status, status, "{path} {wanted}");
        }
        let both = [("if-match", "\"zz\""), ("if-none-match", "*")];
        let refused = get(&host, path, &both).await?.problem(412)?;
        assert_eq!(refused["code"], json!("precondition_failed"));
    }
    let tag = host.get("/hello/Ada").await?.header("etag")?.to_owned();
    let wanted = format!("\"zz\", {tag}");
    get(&host, "/hello/Ada", &[("if-match", &wanted)])
        .await?
        .expect(200)?;
    // What is not there is not there, whatever is wanted.
    get(&host, "/nothing", &[("if-match", "\"zz\"")])
        .await?
        .expect(404)?;
    Ok(())
}

#[tokio::test]
async fn what_a_service_says_of_age_and_sharing_is_heard() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let path = "/counted?age=20";
    let first = text(&host, path, &[]).await?;
    let again = get(&host, path, &[]).await?.expect(200)?;
    assert_eq!(again.text(), first);
    ensure!(again.header("age")?.parse::<u64>()? >= 20);
    let status = again.header("cache-status")?;
    let left = status.strip_prefix("stoa; hit; ttl=").unwrap_or_default();
    ensure!(left.parse::<u64>()? <= 3580, "{status}");
    // The route says how long, and its service that it is for all.
    let credentials = [("authorization", "Basic eDp5")];
    let path = "/counted?cache-control=public";
    let first = get(&host, path, &credentials).await?;
    let said: Vec<_> = first.headers.get_all("cache-control").iter().collect();
    assert_eq!(said, ["public", "max-age=3600"]);
    assert_eq!(text(&host, path, &[]).await?, first.text());
    Ok(())
}

#[tokio::test]
async fn fresh_answers_come_from_memory() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    for path in ["/count/a", "/counted?x=1"] {
        let first = get(&host, path, &[]).await?.expect(200)?;
        assert_eq!(first.header("cache-status")?, "stoa; fwd=uri-miss; stored");
        assert_eq!(first.header("cache-control")?, "public, max-age=3600");
        let again = get(&host, path, &[]).await?.expect(200)?;
        assert_eq!(again.body, first.body);
        ensure!(again.header("cache-status")?.starts_with("stoa; hit; ttl="));
        ensure!(again.header("age")?.parse::<u64>()? < 60);
        let head = Request::head(path).body(empty())?;
        let head = Client::http1(host.http).send(head).await?;
        ensure!(head.header("cache-status")?.starts_with("stoa; hit"));
    }
    let tag = get(&host, "/count/a", &[])
        .await?
        .header("etag")?
        .to_owned();
    let short = get(&host, "/count/a", &[("if-none-match", &tag)]).await?;
    assert_eq!(short.status, 304);
    ensure!(short.header("age").is_ok() && short.header("cache-control").is_ok());
    // The order of a query is the service's business.
    assert_ne!(
        text(&host, "/counted?x-a=1&x-b=2", &[]).await?,
        text(&host, "/counted?x-b=2&x-a=1", &[]).await?
    );
    let metrics = host.admin()?.metrics().await?;
    ensure!(
        metrics.contains("stoa_cache_requests_total{result=\"hit\"} 6"),
        "{metrics}"
    );
    ensure!(!metrics.contains("stoa_cache_bytes 0\n"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_client_says_what_it_takes() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let missing = get(&host, "/count/a", &[("cache-control", "only-if-cached")]).await?;
    assert_eq!(missing.problem(504)?["code"], json!("not_cached"));
    let part = [("cache-control", "only-if-cached"), ("range", "bytes=0-0")];
    get(&host, "/count/a", &part).await?.problem(504)?;
    let with = |value| [("cache-control", value)];
    assert_eq!(text(&host, "/count/a", &with("no-store")).await?, "1");
    assert_eq!(text(&host, "/count/a", &[]).await?, "2");
    assert_eq!(text(&host, "/count/a", &with("only-if-cached")).await?, "2");
    assert_eq!(text(&host, "/count/a", &with("no-cache")).await?, "3");
    assert_eq!(text(&host, "/count/a", &[]).await?, "3");
    assert_eq!(text(&host, "/count/a", &with("min-fresh=4000")).await?, "4");
    assert_eq!(text(&host, "/count/a", &with("max-age=60")).await?, "4");
    Ok(())
}

#[tokio::test]
async fn answers_differ_by_the_headers_that_matter() -> Result<()> {
    let rule = json!({ "max_age": "1h", "vary": ["accept-language"] });
    let host = serving(&services(rule)).await?;
    let language = |value| [("accept-language", value)];
    // The route says so, or the service does.
    for path in ["/counted?x=1", "/counted?vary=X-Other,Accept-Language"] {
        let german = get(&host, path, &language("de")).await?.expect(200)?;
        ensure!(
            german
                .headers
                .get_all("vary")
                .iter()
                .any(|name| name == "accept-language")
        );
        let french = text(&host, path, &language("fr")).await?;
        ensure!(german.text().ends_with(" de") && french.ends_with(" fr"));
        assert_eq!(text(&host, path, &language("de")).await?, german.text());
        assert_eq!(text(&host, path, &language("fr")).await?, french);
    }
    let other = [("x-other", "1"), ("accept-language", "de")];
    let path = "/counted?vary=X-Other";
    let (plain, special) = (
        text(&host, path, &[]).await?,
        text(&host, path, &other).await?,
    );
    assert_ne!(plain, special);
    assert_eq!(text(&host, path, &[]).await?, plain);
    assert_eq!(text(&host, path, &other).await?, special);
    Ok(())
}

#[tokio::test]
async fn what_is_not_for_all_is_not_shared() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let twice = async |path: &str, headers: &[(&str, &str)]| -> Result<bool> {
        let first = text(&host, path, headers).await?;
        Ok(text(&host, path, headers).await? == first)
    };
    for own in [
        "/counted?cache-control=private",
        "/counted?cache-control=no-store",
        "/counted?set-cookie=a",
        "/counted?vary=*",
    ] {
        ensure!(!twice(own, &[]).await?, "{own}");
    }
    ensure!(twice("/counted?x=1", &[]).await?);
    for credentials in [("authorization", "Basic eDp5"), ("cookie", "session=ann")] {
        let credentials = [credentials];
        ensure!(!twice("/counted?x=1", &credentials).await?);
        let mine = get(&host, "/counted?x=1", &credentials).await?;
        assert_eq!(mine.header("cache-control")?, "private, max-age=3600");
        ensure!(twice("/counted?cache-control=s-maxage=60", &credentials).await?);
        let strict = "/counted?cache-control=max-age=60,must-revalidate";
        ensure!(!twice(strict, &credentials).await?);
    }
    // A function does not see cookies.
    ensure!(twice("/count/a", &[("cookie", "session=ann")]).await?);
    // An error is not kept, unless the service says so.
    let first = get(&host, "/counted?status=404", &[]).await?.text();
    assert_ne!(get(&host, "/counted?status=404", &[]).await?.text(), first);
    let path = "/counted?status=404&cache-control=max-age=60";
    let first = get(&host, path, &[]).await?.text();
    assert_eq!(get(&host, path, &[]).await?.text(), first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_make_one_call() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let path = "/counted?wait=200";
    let first = tokio::spawn({
        let mut client = Client::http1(host.http);
        async move { client.get(path).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    // The leader's client leaves; the others get what it asked for, or ask anew where
    // nobody waited at that moment.
    first.abort();
    let answers = try_join_all((0..32).map(|_| host.get(path))).await?;
    for answer in answers {
        assert_eq!(answer.expect(200)?.text(), "1 ");
    }
    Ok(())
}

#[tokio::test]
async fn who_names_cookies_keeps_them_apart() -> Result<()> {
    let rule = json!({ "max_age": "1h", "vary": ["cookie"] });
    let host = serving(&services(rule)).await?;
    let (ann, bob) = ([("cookie", "s=ann")], [("cookie", "s=bob")]);
    let first = text(&host, "/counted", &ann).await?;
    assert_ne!(text(&host, "/counted", &bob).await?, first);
    assert_eq!(text(&host, "/counted", &ann).await?, first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_fail_together() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let path = "/counted?wait=1000&status=503";
    let first = tokio::spawn({
        let mut client = Client::http1(host.http);
        async move { client.get(path).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    let answers = try_join_all((0..16).map(|_| host.get(path))).await?;
    for answer in answers {
        assert_eq!(answer.header("retry-after")?, "1");
        assert_eq!(answer.problem(503)?["code"], json!("failed"));
    }
    assert_eq!(first.await??.expect(503)?.text(), "1 ");
    assert_eq!(text(&host, "/counted", &[]).await?, "2 ");
    Ok(())
}

/// Such as a stream of events, which a rule of the cache holds for by mistake.
#[tokio::test]
async fn an_answer_that_does_not_end_is_passed_on_in_time() -> Result<()> {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let origin = Origin::start("one", Behaviour::Events(head.to_owned())).await?;
    let host = host_with("").await?;
    let settings = json!({
        "targets": [origin.url()],
        "routes": [{ "path": "/events", "target": "http", "access": "public", "cache": "1h" }],
        "limits": { "deadline": "300ms" },
    });
    let declared = host.admin()?;
    let declared = declared.json(Method::PUT, "/v1/upstreams/legacy", &settings);
    declared.await?.expect(200)?;
    let asks = b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut socket = raw::begin(host.http, asks).await?;
    let mut received = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&received).contains("data:1") {
            ensure!(socket.read_buf(&mut received).await? > 0, "cut off");
        }
        Ok(())
    };
    timeout(PATIENCE, read).await?
}

#[tokio::test]
async fn old_answers_cover_for_a_service_that_fails() -> Result<()> {
    let host = serving(&services(
        json!({ "max_age": "0s", "stale_if_error": "1h" }),
    ))
    .await?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "1");
    assert_eq!(text(&host, "/count/a", &[]).await?, "2");
    Client::http1(host.http)
        .send(json_request(Method::PUT, "/keys/a", &json!("no number"))?)
        .await?
        .expect(204)?;
    let stale = get(&host, "/count/a", &[]).await?.expect(200)?;
    assert_eq!(stale.text(), "2");
    ensure!(stale.header("cache-status")?.contains("stale"));
    let head = Request::head("/count/a").body(empty())?;
    let head = Client::http1(host.http).send(head).await?.expect(200)?;
    ensure!(head.header("cache-status")?.contains("stale"));
    host.get("/counted").await?.expect(200)?;
    host.get("/counted/fail").await?.expect(200)?;
    assert_eq!(text(&host, "/counted", &[]).await?, "1 ");
    host.get("/counted/mend").await?.expect(200)?;
    assert_ne!(text(&host, "/counted", &[]).await?, "1 ");
    Ok(())
}

#[tokio::test]
async fn old_answers_are_renewed_in_the_background() -> Result<()> {
    let rule = json!({ "max_age": "0s", "stale_while_revalidate": "1h" });
    let host = serving(&services(rule)).await?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "1");
    let stale = get(&host, "/count/a", &[]).await?.expect(200)?;
    assert_eq!(stale.text(), "1");
    ensure!(stale.header("cache-status")?.contains("stale"));
    loop {
        if text(&host, "/count/a", &[]).await? != "1" {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn a_new_revision_serves_its_own_answers() -> Result<()> {
    let version = |file| {
        let route = json!({ "target": { "call": "test:versioned/answers.version" }, "access": "public", "cache": "1h" });
        Service::new("provider", file).route("GET /version", route)
    };
    let host = serving(&[version(guests::PROVIDER_V1)]).await?;
    for _ in 0..2 {
        assert_eq!(text(&host, "/version", &[]).await?, "\"v1\"");
    }
    let admin = host.admin()?;
    admin.deploy_one(&version(guests::PROVIDER_V2)).await?;
    ensure!(admin.metrics().await?.contains("stoa_cache_bytes 0\n"));
    assert_eq!(text(&host, "/version", &[]).await?, "\"v2\"");
    host.cli(&["rollback", "provider"]).await?.expect(0)?;
    assert_eq!(text(&host, "/version", &[]).await?, "\"v1\"");
    Ok(())
}

#[tokio::test]
async fn answers_are_purged_by_service_and_tag() -> Result<()> {
    let host = serving(&services(json!({ "max_age": "1h", "tags": ["numbers"] }))).await?;
    let fill = async || -> Result<()> {
        for path in ["/count/a", "/count/b", "/counted?x=1"] {
            host.get(path).await?.expect(200)?;
        }
        Ok(())
    };
    for (arguments, expected) in [
        (&["cache", "purge", "state"][..], 2),
        (&["cache", "purge", "--tag", "numbers"], 3),
        (&["cache", "purge", "counted", "--tag", "numbers"], 1),
        (&["cache", "purge"], 3),
    ] {
        fill().await?;
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json"]);
        let ran = host.cli(&arguments).await?;
        let reply: Value = serde_json::from_str(ran.expect(0)?)?;
        assert_eq!(reply["purged"], json!(expected), "{arguments:?}");
    }
    let unknown = host.cli(&["cache", "purge", "--tag", "letters"]).await?;
    unknown.expect(1)?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "4");
    Ok(())
}

#[tokio::test]
async fn a_cache_keeps_within_its_bytes() -> Result<()> {
    let host = host_with("[gateway]\ncache_bytes = \"1MiB\"\n").await?;
    host.admin()?.deploy_all(&services(json!("1h"))).await?;
    let used = async || -> Result<u64> {
        let metrics = host.admin()?.metrics().await?;
        let used = metrics
            .lines()
            .find_map(|line| line.strip_prefix("stoa_cache_bytes "));
        Ok(used.unwrap_or_default().parse()?)
    };
    for n in 0..20 {
        let path = format!("/counted?length=400000&x-n={n}");
        get(&host, &path, &[]).await?.expect(200)?;
        let used = used().await?;
        ensure!(used > 0 && used <= 1 << 20, "{used}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cache_without_memory_stores_nothing() -> Result<()> {
    let host = host_with("[gateway]\ncache_bytes = 0\n").await?;
    host.admin()?.deploy_all(&services(json!("1h"))).await?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "1");
    assert_eq!(text(&host, "/count/a", &[]).await?, "2");
    Ok(())
}
