//! A client of the admin API.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::client::{Answer, Body, Client, PATIENCE, empty, full};
use crate::service::Service;

/// The admin API of one host, with its token.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// The bearer token.
    pub token: String,
}

/// A deployment under way: its events as they come.
pub struct Progress {
    body: Option<Incoming>,
    received: Vec<u8>,
}

/// How a deployment ended.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Each line of its progress, the last one included.
    pub events: Vec<Value>,
    outcome: Result<BTreeMap<String, u64>, Vec<Fault>>,
}

/// Why a deployment was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The service at fault, where it is one.
    pub service: Option<String>,
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

// === impl Admin ===

impl Admin {
    /// `GET path`, such as `/v1/services`.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, empty()).await
    }

    /// A request with a JSON body.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Answer> {
        self.send(method, path, full(body.to_string())).await
    }

    /// A request with the token.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn send(&self, method: Method, path: &str, body: Body) -> Result<Answer> {
        Client::http1(self.address)
            .send(self.request(method, path, body)?)
            .await
    }

    /// Uploads a component; its digest.
    ///
    /// # Errors
    /// When the host does not take it.
    pub async fn upload(&self, component: &[u8]) -> Result<String> {
        let digest = hex::encode(Sha256::digest(component));
        let path = format!("/v1/components/{digest}");
        let answer = self
            .send(Method::PUT, &path, full(component.to_vec()))
            .await?;
        ensure!(
            answer.status.is_success(),
            "the upload got {}: {}",
            answer.status,
            answer.text()
        );
        Ok(digest)
    }

    /// Uploads the components and deploys the services together; how it ended.
    ///
    /// # Errors
    /// When the host gives no answer that is a deployment's.
    pub async fn deploy(&self, services: &[Service]) -> Result<Deployment> {
        let mut progress = self.begin(services).await?;
        let mut events = Vec::new();
        while let Some(event) = progress.next().await? {
            let last = event["event"] == "done" || event["event"] == "refused";
            events.push(event);
            if last {
                break;
            }
        }
        Deployment::read(events)
    }

    /// The same, event by event, as the host tells them.
    ///
    /// # Errors
    /// When the host does not take the components, or gives no answer.
    pub async fn begin(&self, services: &[Service]) -> Result<Progress> {
        let mut requests = Vec::new();
        for service in services {
            let digest = self.upload(&service.component).await?;
            requests.push(service.request(&digest));
        }
        let body = full(json!({ "services": requests }).to_string());
        let request = self.request(Method::POST, "/v1/deployments", body)?;
        let response = Client::http1(self.address).stream(request).await?;
        if response.status().is_success() {
            return Ok(Progress {
                body: Some(response.into_body()),
                received: Vec::new(),
            });
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body,
        };
        let mut refused = refused(&answer)?.to_string();
        refused.push('\n');
        Ok(Progress {
            body: None,
            received: refused.into_bytes(),
        })
    }

    /// Deploys, and expects success; service → number of its revision.
    ///
    /// # Errors
    /// When the deployment is refused.
    pub async fn deploy_all(&self, services: &[Service]) -> Result<BTreeMap<String, u64>> {
        self.deploy(services).await?.done()
    }

    /// Deploys one service; the number of its revision.
    ///
    /// # Errors
    /// When the deployment is refused.
    pub async fn deploy_one(&self, service: &Service) -> Result<u64> {
        let revisions = self.deploy_all(std::slice::from_ref(service)).await?;
        revisions
            .get(&service.name)
            .copied()
            .with_context(|| format!("no revision of {} in {revisions:?}", service.name))
    }

    /// Deploys one service, and expects a refusal.
    ///
    /// # Errors
    /// When it becomes live.
    pub async fn refused(&self, service: &Service) -> Result<Vec<Fault>> {
        self.deploy(std::slice::from_ref(service)).await?.refused()
    }

    /// Changes the traffic of a service: `{"weights": …}`, `"promote"`, `{"rollback": {"to": 1}}`.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn traffic(&self, service: &str, request: &Value) -> Result<Value> {
        let answer = self
            .json(
                Method::POST,
                &format!("/v1/services/{service}/traffic"),
                request,
            )
            .await?;
        answer.expect(200)?.json()
    }

    /// The numbers of the live revisions with their weights.
    ///
    /// # Errors
    /// When there is no such service.
    pub async fn live(&self, service: &str) -> Result<BTreeMap<u64, u64>> {
        let shown = self
            .get(&format!("/v1/services/{service}"))
            .await?
            .expect(200)?
            .json()?;
        let live = shown["live"]
            .as_array()
            .with_context(|| format!("expected live revisions, found {shown}"))?;
        let weighed = live
            .iter()
            .map(|one| Some((one["revision"].as_u64()?, one["weight"].as_u64()?)));
        weighed
            .collect::<Option<_>>()
            .with_context(|| format!("expected revisions with weights, found {shown}"))
    }

    /// The pool of a service's heaviest live revision: `min`, `max`, `busy`, `idle`, `queued`.
    ///
    /// # Errors
    /// When there is no such service.
    pub async fn pool(&self, service: &str) -> Result<Value> {
        let shown = self
            .get(&format!("/v1/services/{service}"))
            .await?
            .expect(200)?
            .json()?;
        Ok(shown["live"][0]["pool"].clone())
    }

    /// The metrics' text.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn metrics(&self) -> Result<String> {
        Ok(crate::client::get(self.address, "/metrics")
            .await?
            .expect(200)?
            .text())
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Result<Request<Body>> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        Ok(request
            .header("content-type", "application/json")
            .body(body)?)
    }
}

/// A refusal before anything began, as the event that it would have been later.
fn refused(answer: &Answer) -> Result<Value> {
    let mut problem = answer.problem(answer.status.as_u16())?;
    let faults = match problem["faults"].take() {
        Value::Array(faults) if !faults.is_empty() => json!(faults),
        _ => json!([{ "code": problem["code"], "message": problem["detail"] }]),
    };
    Ok(json!({ "event": "refused", "faults": faults }))
}

// === impl Progress ===

impl Progress {
    /// The next event; none after the last one.
    ///
    /// # Errors
    /// When the progress breaks off, or stalls.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            let Some(body) = &mut self.body else {
                return Ok(None);
            };
            let frame = timeout(PATIENCE, body.frame())
                .await
                .context("the progress stalls")?;
            match frame {
                Some(frame) => self.received.extend(frame?.into_data().unwrap_or_default()),
                None => {
                    self.body = None;
                    ensure!(
                        self.received.is_empty(),
                        "half an event: {:?}",
                        self.received
                    );
                }
            }
        }
    }
}

// === impl Deployment ===

impl Deployment {
    fn read(events: Vec<Value>) -> Result<Self> {
        let last = events
            .last()
            .context("the deployment's progress is empty")?;
        let outcome = match last["event"].as_str() {
            Some("done") => Ok(serde_json::from_value(last["revisions"].clone())?),
            Some("refused") => Err(faults(&last["faults"])),
            _ => bail!("expected the progress to end with done or refused, found {last}"),
        };
        Ok(Self { events, outcome })
    }

    /// Service → number of its new revision.
    ///
    /// # Errors
    /// When the deployment was refused.
    pub fn done(self) -> Result<BTreeMap<String, u64>> {
        self.outcome
            .map_err(|faults| anyhow::anyhow!("the deployment was refused: {faults:#?}"))
    }

    /// Why nothing changed.
    ///
    /// # Errors
    /// When the services are live.
    pub fn refused(self) -> Result<Vec<Fault>> {
        match self.outcome {
            Ok(revisions) => bail!("expected a refusal, but these are live: {revisions:?}"),
            Err(faults) => Ok(faults),
        }
    }
}

fn faults(list: &Value) -> Vec<Fault> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(Fault::read)
        .collect()
}

impl Fault {
    fn read(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Self {
            service: text("service"),
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
        }
    }
}
