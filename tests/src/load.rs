//! Many connections that send requests in a loop and count every answer.
//!
//! Nothing fails silently: each failure is counted and told with its time, its
//! connection and its cause.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Request;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::{Answer, Body, Client, PATIENCE, Protocol, empty};

/// Failures that a report tells in full; more are only counted.
const TOLD: usize = 20;

/// A connection gives up after so many failures in a row: the host is gone.
const GIVE_UP: u32 = 50;

/// What to send.
#[derive(Clone)]
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// How many connections, each with one request at a time.
    pub connections: usize,
    /// HTTP/1.1 or HTTP/2.
    pub protocol: Protocol,
    /// Makes the request of that number.
    pub request: Arc<dyn Fn(u64) -> Request<Body> + Send + Sync>,
}

/// A load that runs until it is stopped.
pub struct Load {
    workers: JoinSet<Report>,
    stop: watch::Sender<bool>,
    answered: watch::Sender<u64>,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Whole responses.
    pub answers: u64,
    /// Status → how many.
    pub by_status: BTreeMap<u16, u64>,
    /// First 64 bytes of the body → how many. For requests with few answers.
    pub by_body: BTreeMap<String, u64>,
    /// Requests without a whole response.
    pub failed: u64,
    /// The first failures, and answers with a status of 400 or more, in full.
    pub told: Vec<String>,
    /// Idle connections that were opened again.
    pub reconnects: u64,
    /// The longest time that a request took.
    pub slowest: Duration,
}

// === impl Plan ===

impl Plan {
    /// `GET path` over HTTP/1.1.
    pub fn get(address: SocketAddr, connections: usize, path: &str) -> Self {
        let path = path.to_owned();
        let request = move |_| {
            Request::get(path.as_str())
                .body(empty())
                .expect("the path of a test is valid")
        };
        Self {
            address,
            connections,
            protocol: Protocol::Http1,
            request: Arc::new(request),
        }
    }

    /// The same over HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }
}

// === impl Load ===

impl Load {
    /// Begins.
    pub fn start(plan: &Plan) -> Self {
        let (stop, answered) = (watch::Sender::new(false), watch::Sender::new(0));
        let mut workers = JoinSet::new();
        for number in 0..plan.connections {
            let worker = Worker {
                number,
                plan: plan.clone(),
                stop: stop.subscribe(),
                answered: answered.clone(),
                begun: Instant::now(),
                report: Report::default(),
            };
            workers.spawn(worker.run());
        }
        Self {
            workers,
            stop,
            answered,
        }
    }

    /// Waits until `more` further requests have ended, well or not.
    ///
    /// # Errors
    /// When they don't in time.
    pub async fn more(&self, more: u64) -> Result<()> {
        let mut answered = self.answered.subscribe();
        let goal = *answered.borrow() + more;
        let reached = timeout(PATIENCE, answered.wait_for(|count| *count >= goal)).await;
        let _count = reached
            .with_context(|| format!("the load stalls: {more} more requests did not end"))??;
        Ok(())
    }

    /// Lets the requests under way end, and reports.
    ///
    /// # Errors
    /// When they don't end.
    pub async fn stop(mut self) -> Result<Report> {
        self.stop.send_replace(true);
        let mut whole = Report::default();
        while let Some(report) = timeout(PATIENCE, self.workers.join_next())
            .await
            .context("the load does not end")?
        {
            whole.add(report?);
        }
        Ok(whole)
    }
}

// === impl Report ===

impl Report {
    /// The same report, if there are answers and all of them have this status.
    ///
    /// # Errors
    /// When a request failed or got another status.
    pub fn expect_all(self, status: u16) -> Result<Self> {
        let good = self.by_status.get(&status).copied().unwrap_or_default();
        ensure!(
            good > 0 && good == self.answers && self.failed == 0,
            "expected {status} for every request, found {self:#?}"
        );
        Ok(self)
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.failed += other.failed;
        self.reconnects += other.reconnects;
        self.slowest = self.slowest.max(other.slowest);
        other
            .by_status
            .into_iter()
            .for_each(|(status, count)| *self.by_status.entry(status).or_default() += count);
        other
            .by_body
            .into_iter()
            .for_each(|(body, count)| *self.by_body.entry(body).or_default() += count);
        other.told.into_iter().for_each(|told| self.tell(|| told));
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.told.len() < TOLD {
            self.told.push(what());
        }
    }

    fn count(&mut self, answer: &Answer, at: Duration, who: usize) {
        self.answers += 1;
        *self.by_status.entry(answer.status.as_u16()).or_default() += 1;
        let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(64)]).into_owned();
        *self.by_body.entry(body).or_default() += 1;
        if answer.status.as_u16() >= 400 {
            self.tell(|| {
                format!(
                    "after {at:?}, connection {who}: {} {:?}",
                    answer.status,
                    answer.text()
                )
            });
        }
    }
}

// === impl Worker ===

struct Worker {
    number: usize,
    plan: Plan,
    stop: watch::Receiver<bool>,
    answered: watch::Sender<u64>,
    begun: Instant,
    report: Report,
}

impl Worker {
    async fn run(mut self) -> Report {
        let mut client = Client::new(self.plan.address, self.plan.protocol);
        let (mut turn, mut in_a_row) = (self.number as u64, 0);
        while !*self.stop.borrow() && in_a_row < GIVE_UP {
            let request = (self.plan.request)(turn);
            let sent = Instant::now();
            match client.send(request).await {
                Ok(answer) => {
                    in_a_row = 0;
                    self.report
                        .count(&answer, self.begun.elapsed(), self.number);
                }
                Err(fault) => {
                    in_a_row += 1;
                    self.report.failed += 1;
                    let (at, who) = (self.begun.elapsed(), self.number);
                    self.report
                        .tell(|| format!("after {at:?}, connection {who}: {fault:#}"));
                }
            }
            self.report.slowest = self.report.slowest.max(sent.elapsed());
            self.answered.send_modify(|count| *count += 1);
            turn += self.plan.connections as u64;
        }
        self.report.reconnects = client.reconnects();
        self.report
    }
}
