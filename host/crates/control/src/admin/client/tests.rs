//! The client against a server that says what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use stoa_api::{DeployEvent, Fault, Problem, Step};

/// What one request got.
struct Answer {
    status: u16,
    chunks: Vec<&'static str>,
}

/// A request as it came: method and path, token, body.
type Asked = (String, String, String);

/// Serves one answer for each request, in order; gives the requests back.
struct Server {
    client: Client,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(std::collections::VecDeque::from(answers)));
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, answers) = (noted.clone(), answers.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (noted, answers) = (noted.clone(), answers.clone());
                    async move { Ok::<_, Infallible>(answer(request, &noted, &answers).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        let client = Client::new(&address, Some("secret".into())).unwrap();
        Self { client, asked }
    }

    async fn one(status: u16, body: &'static str) -> Self {
        Self::start(vec![Answer {
            status,
            chunks: vec![body],
        }])
        .await
    }

    /// Methods and paths.
    fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(line, ..)| line.clone())
            .collect()
    }
}

async fn answer(
    request: Request<Incoming>,
    noted: &Mutex<Vec<Asked>>,
    answers: &Mutex<std::collections::VecDeque<Answer>>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let line = format!("{} {}", request.method(), request.uri());
    let token = request
        .headers()
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    noted
        .lock()
        .unwrap()
        .push((line, token.unwrap_or_default(), body));
    let Answer { status, chunks } = answers
        .lock()
        .unwrap()
        .pop_front()
        .expect("an answer for each request");
    let frames = chunks
        .into_iter()
        .map(|chunk| Ok(Frame::data(Bytes::from(chunk))));
    let body = StreamBody::new(futures::stream::iter(frames));
    Response::builder()
        .status(status)
        .body(BodyExt::boxed(body))
        .unwrap()
}

#[tokio::test]
async fn a_component_is_asked_for_and_sent_in_pieces() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "w".repeat(200_000);
    std::fs::write(file.path(), &text).unwrap();
    let answers = [404, 201, 200].map(|status| Answer {
        status,
        chunks: vec![],
    });
    let server = Server::start(answers.into()).await;

    assert!(!server.client.has_component("ab").await.unwrap());
    let sent = Arc::new(Mutex::new(Vec::new()));
    let told = sent.clone();
    let told = move |bytes| told.lock().unwrap().push(bytes);
    server
        .client
        .put_component("ab", file.path(), told)
        .await
        .unwrap();
    assert!(server.client.has_component("ab").await.unwrap());

    let sent = sent.lock().unwrap();
    assert_eq!(sent.iter().sum::<u64>(), 200_000);
    assert!(sent.len() > 1, "in pieces");
    let asked = server.asked.lock().unwrap();
    let lines: Vec<_> = asked.iter().map(|(line, ..)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "HEAD /v1/components/ab",
            "PUT /v1/components/ab",
            "HEAD /v1/components/ab"
        ]
    );
    assert!(asked.iter().all(|(_, token, _)| token == "Bearer secret"));
    assert_eq!(asked[1].2, text);
}

#[tokio::test]
async fn a_deployment_is_followed_to_its_end() {
    let chunks = vec![
        "{\"event\":\"started\",\"service\":\"a\",\"st",
        "ep\":\"verify\"}\n{\"event\":\"done\",\"rev",
        "isions\":{\"a\":3}}\n",
    ];
    let server = Server::start(vec![Answer {
        status: 200,
        chunks,
    }])
    .await;
    let request = DeployRequest {
        services: vec![],
        upstreams: vec![],
        wait: true,
    };
    let mut progress = server.client.deploy(&request).await.unwrap();
    let first = progress.next().await.unwrap();
    assert!(
        matches!(
            first,
            Some(DeployEvent::Started {
                step: Step::Verify,
                ..
            })
        ),
        "{first:?}"
    );
    let second = progress.next().await.unwrap();
    assert!(matches!(second, Some(DeployEvent::Done { revisions }) if revisions["a"] == 3));
    assert!(progress.next().await.unwrap().is_none());
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked[0].0, "POST /v1/deployments");
    assert_eq!(asked[0].2, "{\"services\":[],\"wait\":true}");
}

#[test]
fn a_refusal_tells_each_fault_once() {
    let fault = |service: &str, message: &str| Fault {
        service: Some(service.into()),
        code: "x".into(),
        message: message.into(),
    };
    let told = |status, detail: &str, faults: Vec<Fault>| {
        let problem = Problem {
            status,
            title: "Conflict".into(),
            detail: Some(detail.into()),
            code: "refused".into(),
            trace_id: "4bf9".into(),
            faults,
        };
        ClientError::Refused(Box::new(problem)).to_string()
    };
    let (one, two) = (fault("a", "it is old"), fault("b", "b needs it"));
    assert_eq!(told(409, "nothing else", vec![]), "nothing else");
    assert_eq!(told(409, "it is old", vec![one.clone()]), "a: it is old");
    assert_eq!(
        told(409, "it is old; b needs it", vec![one.clone(), two.clone()]),
        "the host refuses it for 2 reasons:\n  a: it is old\n  b needs it"
    );
    assert_eq!(
        told(409, "something else", vec![one]),
        "something else\n  a: it is old"
    );
    // What is not the client's doing is in the log.
    assert_eq!(
        told(500, "the disk failed", vec![]),
        "the disk failed (trace 4bf9 in the host's log)"
    );
    let longer = fault("b", "b-side is another");
    assert_eq!(
        told(409, "b-side is another", vec![longer]),
        "b: b-side is another"
    );
}

#[tokio::test]
async fn a_refusal_tells_every_fault() {
    let body = r#"{"status":409,"title":"Conflict","detail":"order depends on product","code":"in_use",
        "faults":[{"service":"order","code":"x","message":"imports shop:product/inventory"}]}"#;
    let server = Server::one(409, body).await;
    let fault = server
        .client
        .undeploy("product", StateFate::Purge)
        .await
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "order depends on product\n  order: imports shop:product/inventory"
    );
    let ClientError::Refused(problem) = fault else {
        panic!("{fault:?}")
    };
    let expected = Fault {
        service: Some("order".into()),
        code: "x".into(),
        message: "imports shop:product/inventory".into(),
    };
    assert_eq!(problem.faults, [expected]);
    assert_eq!(server.asked(), ["DELETE /v1/services/product?purge=true"]);
}

#[tokio::test]
async fn logs_are_read_event_by_event() {
    let chunks = vec!["data: {\"mess", "age\":\"a\"}\n", "\n: ping\n\ndata: b\n\n"];
    let server = Server::start(vec![Answer {
        status: 200,
        chunks,
    }])
    .await;
    let query = LogQuery {
        service: Some("order".into()),
        level: Some("warn".into()),
        end: LogEnd::Never,
    };
    let mut events = server.client.logs(&query).await.unwrap();
    assert_eq!(
        events.next().await.unwrap().as_deref(),
        Some("{\"message\":\"a\"}")
    );
    assert_eq!(events.next().await.unwrap().as_deref(), Some("b"));
    assert_eq!(events.next().await.unwrap(), None);
    assert_eq!(
        server.asked(),
        ["GET /v1/services/order/logs?follow=true&level=warn"]
    );
}

#[tokio::test]
async fn each_endpoint_has_its_path_and_body() {
    let pool = r#"{"min":1,"max":2,"busy":0,"idle":1,"queued":0}"#;
    let bodies = [
        "[]",
        "[]",
        "[]",
        r#"{"live":[],"micros":7}"#,
        pool,
        "package a:b;",
        "{}",
        "{}",
        "{}",
        "",
    ];
    let answers = bodies.map(|body| Answer {
        status: 200,
        chunks: vec![body],
    });
    let server = Server::start(answers.into()).await;
    let client = &server.client;
    assert!(client.services().await.unwrap().is_empty());
    assert!(client.revisions("a").await.unwrap().is_empty());
    assert!(client.routes().await.unwrap().is_empty());
    let rollback = TrafficRequest::Rollback { to: Some(2) };
    assert_eq!(client.traffic("a", &rollback).await.unwrap().micros, 7);
    let scale = ScaleRequest {
        min: Some(1),
        max: None,
    };
    assert_eq!(client.scale("a", &scale).await.unwrap().max, 2);
    assert_eq!(client.contract("a").await.unwrap(), "package a:b;");
    client.openapi("a/../b").await.unwrap();
    client.app_openapi().await.unwrap();
    client.admin_openapi().await.unwrap();
    client.undeploy("a", StateFate::Keep).await.unwrap();
    assert_eq!(
        server.asked(),
        [
            "GET /v1/services",
            "GET /v1/services/a/revisions",
            "GET /v1/routes",
            "POST /v1/services/a/traffic",
            "PUT /v1/services/a/scale",
            "GET /v1/services/a/contract",
            "GET /v1/services/a%2F..%2Fb/openapi",
            "GET /v1/app/openapi.json",
            "GET /v1/openapi.json",
            "DELETE /v1/services/a",
        ]
    );
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked[3].2, r#"{"rollback":{"to":2}}"#);
    assert_eq!(asked[4].2, r#"{"min":1,"max":null}"#);
}

#[tokio::test]
async fn what_is_not_our_host_says_so() {
    let server = Server::one(200, "<html>").await;
    let fault = server.client.services().await.unwrap_err().to_string();
    assert!(
        fault.starts_with("expected the admin API of a Stoa host at http://127.0.0.1:"),
        "{fault}"
    );
    let server = Server::one(502, "").await;
    let fault = server.client.services().await.unwrap_err().to_string();
    assert!(fault.ends_with("found status 502 Bad Gateway"), "{fault}");
    let server = Server::one(401, "").await;
    let fault = server.client.services().await.unwrap_err();
    assert!(
        matches!(fault, ClientError::Unauthorized { .. }),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_the_way_out() {
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Client::new(&address.to_string(), None).unwrap();
    let fault = client.services().await.unwrap_err().to_string();
    assert!(
        fault.starts_with(&format!("nothing answers at http://{address} (")),
        "{fault}"
    );
    assert!(fault.contains("`stoa serve` or `stoa up`"), "{fault}");
}

#[test]
fn addresses() {
    for (given, expected) in [
        ("127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://localhost:80/", "http://localhost:80"),
        ("[::1]:8081", "http://[::1]:8081"),
    ] {
        assert_eq!(Client::new(given, None).unwrap().address(), expected);
    }
    for given in [
        "https://a.example",
        "http://a.example/v1",
        "",
        "http://u:p@a.example",
    ] {
        let fault = Client::new(given, None).unwrap_err();
        assert!(
            matches!(fault, ClientError::Address { .. }),
            "{given}: {fault:?}"
        );
    }
}
