//! Load that comes at its own pace, whether the server keeps up or not.
//!
//! A client that waits for its answer before it asks again slows down with the
//! server, and can't overload it. Here each request has its time; there are enough
//! connections that hardly one is still busy then. One thread a connection: at the
//! rates of services that compute, none of them matters.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Connection, Request};
use crate::stats::percentile;

/// What to send where, and how often.
pub struct Paced<'a> {
    /// The server.
    pub addr: SocketAddr,
    /// The request.
    pub request: &'a Request,
    /// Requests a second, of all connections together.
    pub rate: f64,
    /// How many connections.
    pub connections: u16,
    /// How long.
    pub duration: Duration,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Served {
    /// Microseconds of each 2xx answer, the shortest first.
    pub times: Vec<u32>,
    /// Answers with 503.
    pub refused: u64,
    /// Requests that were sent later than they should.
    pub late: u64,
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
}

impl Served {
    /// 2xx answers a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    /// The 99th percentile of their times, in microseconds.
    pub fn p99_micros(&self) -> f64 {
        f64::from(percentile(&self.times, 99))
    }
}

impl Paced<'_> {
    /// Sends the load.
    ///
    /// # Errors
    /// A connection broke, or an answer is neither 2xx nor 503.
    pub fn run(&self) -> Result<Served> {
        let start = Instant::now();
        let lanes: Vec<Result<Served>> = thread::scope(|scope| {
            let lanes: Vec<_> = (0..self.connections)
                .map(|lane| scope.spawn(move || self.lane(lane, start)))
                .collect();
            let ended = lanes.into_iter().map(|lane| lane.join());
            ended
                .map(|lane| lane.ok().context("a connection's thread ended early")?)
                .collect()
        });
        let mut all = Served::default();
        for lane in lanes {
            let lane = lane?;
            all.times.extend(lane.times);
            all.refused += lane.refused;
            all.late += lane.late;
        }
        all.times.sort_unstable();
        all.seconds = start.elapsed().as_secs_f64();
        Ok(all)
    }

    fn lane(&self, lane: u16, start: Instant) -> Result<Served> {
        let mut connection = Connection::open(self.addr)?;
        let gap = Duration::from_secs_f64(f64::from(self.connections) / self.rate);
        let mut due = start + gap.mul_f64(f64::from(lane) / f64::from(self.connections));
        let mut served = Served::default();
        while due < start + self.duration {
            match due.checked_duration_since(Instant::now()) {
                Some(early) => thread::sleep(early),
                None => served.late += 1,
            }
            let reply = connection.call(self.request)?;
            match reply.status {
                200..300 => served
                    .times
                    .push(u32::try_from(reply.took.as_micros()).unwrap_or(u32::MAX)),
                status => {
                    ensure!(status == 503, "expected 2xx or 503, found {status}");
                    served.refused += 1;
                }
            }
            // Not in step with one another.
            due += gap.mul_f64(0.5 + fastrand::f64());
        }
        Ok(served)
    }
}
