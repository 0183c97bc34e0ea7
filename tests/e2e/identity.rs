//! Who may call: credentials at the gateway, and what a service learns of the caller.

mod issuers;
mod jwt;
mod keys;

use anyhow::Result;
use http::Request;
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, empty};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::guests;

/// Three ways into the same function: open, for anybody who is known, for a scope;
/// and one to a handler that shows its request's headers.
fn guarded() -> Vec<Service> {
    let seen = json!({ "call": "test:chain/probe.seen" });
    let route = |access: Value| json!({ "target": seen, "access": access });
    vec![
        Service::new("probe", guests::PROBE)
            .route("GET /open", route(json!("public")))
            .route("GET /known", route(json!("authenticated")))
            .route("GET /scoped", route(json!({ "scope": "pings:read" }))),
        Service::new("headers", guests::HEADERS_P2)
            .http("/headers/open")
            .route(
                "/headers/known",
                json!({ "target": "http", "access": "authenticated" }),
            ),
    ]
}

/// What the function saw of its caller.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    subject: String,
    scopes: String,
    claims: Vec<String>,
}

fn seen(answer: Answer) -> Result<Seen> {
    let text = answer.expect(200)?.json()?;
    let fields: Vec<&str> = text.as_str().unwrap_or_default().split('|').collect();
    Ok(Seen {
        subject: fields[3].to_owned(),
        scopes: fields[4].to_owned(),
        claims: fields[5].split_whitespace().map(str::to_owned).collect(),
    })
}

async fn with(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Client::http1(host.http).send(request.body(empty())?).await
}

async fn bearer(host: &HostProcess, path: &str, token: &str) -> Result<Answer> {
    with(host, path, &[("authorization", &format!("Bearer {token}"))]).await
}

/// A refusal with its problem's code and its challenge.
fn refused(answer: &Answer, status: u16, code: &str) -> Result<()> {
    let problem = answer.problem(status)?;
    assert_eq!(problem["code"], code, "{problem}");
    if status == 401 || status == 403 {
        let challenge = answer.header("www-authenticate")?;
        assert!(
            challenge.starts_with("Bearer realm=\"stoa\""),
            "{challenge}"
        );
        let error = format!("error=\"{code}\"");
        assert_eq!(
            challenge.contains(&error),
            code != "unauthorized",
            "{challenge}"
        );
    }
    Ok(())
}
