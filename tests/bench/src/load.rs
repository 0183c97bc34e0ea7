//! Load: a number of keep-alive connections, each with one request under way.
//!
//! The client must never be what is measured: requests are bytes before the
//! clock starts, and one thread serves all connections. Knows nothing of what
//! answers.

mod connection;
mod own;
mod paced;
mod response;
mod wrk;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::args::Client;

pub use connection::Connection;
pub use paced::Paced;

/// A request, the same each time.
#[derive(Debug, Clone)]
pub struct Request {
    /// Upper-case method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// What `content-type` says, where there is a body.
    pub content_type: &'static str,
    /// Bearer token.
    pub token: Option<String>,
    /// Body; none where it is empty.
    pub body: Vec<u8>,
}

impl Request {
    /// `GET` without a body.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            content_type: "",
            token: None,
            body: Vec::new(),
        }
    }

    /// With a JSON body.
    pub fn json(method: &'static str, path: &str, body: Vec<u8>) -> Self {
        Self {
            method,
            body,
            content_type: "application/json",
            ..Self::get(path)
        }
    }

    /// As HTTP/1.1 has it.
    pub fn to_bytes(&self, addr: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {addr}\r\n", self.method, self.path);
        if let Some(token) = &self.token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        if !self.body.is_empty() {
            head += &format!(
                "content-type: {}\r\ncontent-length: {}\r\n",
                self.content_type,
                self.body.len()
            );
        } else if self.method != "GET" {
            head += "content-length: 0\r\n";
        }
        head += "\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}

/// What to send where, and for how long.
pub struct Load<'a> {
    /// The server.
    pub addr: SocketAddr,
    /// The request.
    pub request: &'a Request,
    /// Further ones: each connection of the own client has one of all, in turns.
    pub more: &'a [Request],
    /// How many connections.
    pub connections: u16,
    /// How long at least.
    pub duration: Duration,
    /// The load goes on while this is set; `None` is never longer.
    pub hold: Option<&'a AtomicBool>,
}

/// What a load found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// Requests with a 2xx answer.
    pub requests: u64,
    /// Requests with another answer, a broken one or none.
    pub failures: u64,
    /// The first of them.
    pub first_failure: Option<String>,
    /// How long requests were sent, in seconds.
    pub seconds: f64,
    /// Median time to the end of the answer, in microseconds.
    pub p50_micros: u32,
    /// The 99th percentile of it.
    pub p99_micros: u32,
}

impl Outcome {
    /// Successful requests per second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// This outcome, if all went well.
    ///
    /// # Errors
    /// A request failed, or none was answered.
    pub fn flawless(self, what: &str) -> Result<Self> {
        let outcome = self.without_failure(what)?;
        if outcome.requests == 0 {
            bail!(
                "{what}: expected answers, found none in {:.1} s",
                outcome.seconds
            );
        }
        Ok(outcome)
    }

    /// This outcome, if no request failed.
    ///
    /// # Errors
    /// A request failed.
    pub fn without_failure(self, what: &str) -> Result<Self> {
        if self.failures > 0 {
            let first = self.first_failure.as_deref().unwrap_or("unknown");
            bail!(
                "{what}: expected no failure, found {} beside {} answers; the first: {first}",
                self.failures,
                self.requests
            );
        }
        Ok(self)
    }
}

impl Load<'_> {
    /// Sends the load.
    ///
    /// # Errors
    /// The server can't be connected to, or `wrk` can't be run. Failed requests
    /// are no error here, they are counted.
    pub fn run(&self, client: Client) -> Result<Outcome> {
        match client {
            Client::Own => own::run(self),
            Client::Wrk => wrk::run(self),
        }
    }
}
