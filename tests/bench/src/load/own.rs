//! The load's own client: one thread, one poll, connections that each have one
//! request under way.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::response::Response;
use super::{Load, Outcome};
use crate::stats::percentile;

/// What is not answered this long after the last request was sent is lost.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the end is looked for while nothing comes.
const TICK: Duration = Duration::from_millis(20);

/// Sends a load; see [`Load::run`].
pub fn run(load: &Load<'_>) -> Result<Outcome> {
    let requests = std::iter::once(load.request).chain(load.more);
    let requests: Vec<_> = requests.map(|it| it.to_bytes(load.addr)).collect();
    let mut drive = Drive::open(load.addr, &requests, usize::from(load.connections))?;
    let start = Instant::now();
    drive.send_all();
    loop {
        let elapsed = start.elapsed();
        let held = load.hold.is_some_and(|hold| hold.load(Ordering::Relaxed));
        if elapsed >= load.duration && !held {
            break;
        }
        let left = if held { TICK } else { load.duration - elapsed };
        drive.turn(left.min(TICK))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    drive.settle()?;
    Ok(drive.outcome(seconds))
}

/// All connections and what they have found.
struct Drive<'a> {
    poll: Poll,
    events: Events,
    lanes: Vec<Lane<'a>>,
    tally: Tally,
}

/// What was found so far.
struct Tally {
    phase: Phase,
    /// Microseconds of each 2xx answer.
    times: Vec<u32>,
    failures: u64,
    first_failure: Option<String>,
}

/// What an answer is followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The next request.
    Measuring,
    /// Nothing: it only must have come.
    Settling,
}

impl<'a> Drive<'a> {
    fn open(addr: SocketAddr, requests: &'a [Vec<u8>], connections: usize) -> Result<Self> {
        let poll = Poll::new().context("making a poll")?;
        let mut lanes = Vec::with_capacity(connections);
        for index in 0..connections {
            let request = &requests[index % requests.len()];
            lanes.push(Lane::open(addr, request, Token(index), &poll)?);
        }
        let tally = Tally {
            phase: Phase::Measuring,
            times: Vec::with_capacity(1 << 20),
            failures: 0,
            first_failure: None,
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(connections),
            lanes,
            tally,
        })
    }

    fn send_all(&mut self) {
        for lane in &mut self.lanes {
            lane.begin();
            lane.advance(&self.poll, &mut self.tally);
        }
    }

    fn turn(&mut self, patience: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(fault) if fault.kind() != ErrorKind::Interrupted => {
                return Err(fault).context("waiting for answers");
            }
            _ => (),
        }
        for event in &self.events {
            if let Some(lane) = self.lanes.get_mut(event.token().0) {
                lane.advance(&self.poll, &mut self.tally);
            }
        }
        Ok(())
    }

    /// Waits for what is under way, so that nothing is lost unseen.
    fn settle(&mut self) -> Result<()> {
        self.tally.phase = Phase::Settling;
        let start = Instant::now();
        while self.lanes.iter().any(Lane::waits) && start.elapsed() < PATIENCE {
            self.turn(TICK)?;
        }
        for _ in self.lanes.iter().filter(|lane| lane.waits()) {
            self.tally
                .fail(format!("no answer within {} s", PATIENCE.as_secs()));
        }
        Ok(())
    }

    fn outcome(mut self, seconds: f64) -> Outcome {
        self.tally.times.sort_unstable();
        Outcome {
            requests: self.tally.times.len() as u64,
            failures: self.tally.failures,
            first_failure: self.tally.first_failure,
            seconds,
            p50_micros: percentile(&self.tally.times, 50),
            p99_micros: percentile(&self.tally.times, 99),
        }
    }
}

impl Tally {
    fn answer(&mut self, status: u16, took: Duration) {
        if !(200..300).contains(&status) {
            self.fail(format!("expected 2xx, found {status}"));
        } else if self.phase == Phase::Measuring {
            self.times
                .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn fail(&mut self, reason: String) {
        self.failures += 1;
        self.first_failure.get_or_insert(reason);
    }
}

/// One connection and its request.
struct Lane<'a> {
    addr: SocketAddr,
    token: Token,
    stream: TcpStream,
    request: &'a [u8],
    /// What of the request is still to be sent; `None` while nothing is under way.
    unsent: Option<&'a [u8]>,
    sent_at: Instant,
    buffer: Vec<u8>,
    filled: usize,
}

/// What a step of a lane led to.
enum Step {
    /// The socket has no more for now.
    Blocked,
    /// The answer is there.
    Answered(Response),
}

impl<'a> Lane<'a> {
    fn open(addr: SocketAddr, request: &'a [u8], token: Token, poll: &Poll) -> Result<Self> {
        let stream = connect(addr, token, poll)?;
        Ok(Self {
            addr,
            token,
            stream,
            request,
            unsent: None,
            sent_at: Instant::now(),
            buffer: vec![0; 4096],
            filled: 0,
        })
    }

    fn waits(&self) -> bool {
        self.unsent.is_some()
    }

    fn begin(&mut self) {
        self.unsent = Some(self.request);
        self.filled = 0;
        self.sent_at = Instant::now();
    }

    /// Goes as far as the socket allows.
    fn advance(&mut self, poll: &Poll, tally: &mut Tally) {
        while self.waits() {
            let reconnect = match self.step() {
                Ok(Step::Blocked) => return,
                Ok(Step::Answered(response)) => {
                    tally.answer(response.status, self.sent_at.elapsed());
                    response.closes
                }
                Err(fault) => {
                    tally.fail(format!("{fault:#}"));
                    true
                }
            };
            self.unsent = None;
            if reconnect && let Err(fault) = self.reopen(poll) {
                return tally.fail(format!("{fault:#}"));
            }
            if tally.phase == Phase::Measuring {
                self.begin();
            }
        }
    }

    fn step(&mut self) -> Result<Step> {
        while let Some(rest) = self.unsent.filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.unsent = Some(&rest[count..]),
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(Step::Blocked),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => (),
                Err(fault) => return Err(fault).context("sending the request"),
            }
            if self.unsent == Some(&[]) {
                // An answer can't be there yet: its event will come.
                return Ok(Step::Blocked);
            }
        }
        self.receive()
    }

    fn receive(&mut self) -> Result<Step> {
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    return Err(anyhow!(
                        "the server closed the connection before its answer ended"
                    ));
                }
                Ok(count) => self.filled += count,
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(Step::Blocked),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                Err(fault) => return Err(fault).context("reading the answer"),
            }
            if let Some(response) = Response::parse(&self.buffer[..self.filled])? {
                return Ok(Step::Answered(response));
            }
        }
    }

    fn reopen(&mut self, poll: &Poll) -> Result<()> {
        self.stream = connect(self.addr, self.token, poll)?;
        Ok(())
    }
}

fn connect(addr: SocketAddr, token: Token, poll: &Poll) -> Result<TcpStream> {
    let stream =
        std::net::TcpStream::connect(addr).with_context(|| format!("connecting to {addr}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry()
        .register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
        .context("watching a connection")?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::load::Request;

    /// Loads a server that gives each request this answer, and then closes or not.
    fn load(answer: &'static str, closes: bool) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).is_ok_and(|count| count > 0) {
                        if stream.write_all(answer.as_bytes()).is_err() || closes {
                            break;
                        }
                    }
                });
            }
        });
        let request = Request::get("/");
        let duration = Duration::from_millis(50);
        run(&Load {
            addr,
            request: &request,
            more: &[],
            connections: 3,
            duration,
            hold: None,
        })
        .unwrap()
    }

    #[test]
    fn good_answers_are_requests() {
        let outcome = load("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", false);
        assert!(outcome.requests > 3, "{outcome:?}");
        assert_eq!(
            (outcome.failures, outcome.first_failure.as_deref()),
            (0, None)
        );
        assert!(outcome.flawless("it").is_ok());
    }

    #[test]
    fn another_status_is_a_failure() {
        let outcome = load("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", false);
        assert_eq!(
            (outcome.requests, outcome.first_failure.as_deref()),
            (0, Some("expected 2xx, found 503"))
        );
        assert!(outcome.flawless("it").is_err());
    }

    #[test]
    fn a_cut_answer_is_a_failure_and_the_load_goes_on() {
        let outcome = load("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", true);
        assert!(outcome.failures > 3, "{outcome:?}");
        assert_eq!(outcome.requests, 0);
    }

    #[test]
    fn an_announced_close_is_no_failure() {
        let outcome = load(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            true,
        );
        assert!(outcome.requests > 3, "{outcome:?}");
        assert_eq!(outcome.failures, 0);
    }
}
