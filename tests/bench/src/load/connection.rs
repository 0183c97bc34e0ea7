//! One blocking keep-alive connection: for single calls that are timed, and for
//! the admin API.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Request;
use super::response::Response;

/// A first deployment compiles; nothing takes longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that is kept alive.
pub struct Connection {
    addr: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, and how long it took.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body, without framing.
    pub body: Vec<u8>,
    /// From the first byte sent to the last one received.
    pub took: Duration,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nothing listens there.
    pub fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).with_context(|| format!("connecting to {addr}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            addr,
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// The connection broke, or the answer is not HTTP.
    pub fn call(&mut self, request: &Request) -> Result<Reply> {
        self.exchange(request)
            .with_context(|| format!("{} {} at {}", request.method, request.path, self.addr))
    }

    /// Like [`call`](Self::call), and only 2xx will do.
    ///
    /// # Errors
    /// As `call`, and any other status, with its body.
    pub fn call_ok(&mut self, request: &Request) -> Result<Reply> {
        let reply = self.call(request)?;
        if !(200..300).contains(&reply.status) {
            let body = String::from_utf8_lossy(&reply.body);
            bail!(
                "{} {}: expected 2xx, found {} {body}",
                request.method,
                request.path,
                reply.status
            );
        }
        Ok(reply)
    }

    fn exchange(&mut self, request: &Request) -> Result<Reply> {
        if self.is_closed()? {
            *self = Self::open(self.addr)?;
        }
        let bytes = request.to_bytes(self.addr);
        self.buffer.clear();
        let start = Instant::now();
        self.stream.write_all(&bytes)?;
        let response = loop {
            if let Some(response) = Response::parse(&self.buffer)? {
                break response;
            }
            self.read_more()?;
        };
        let took = start.elapsed();
        let body = response.body(&self.buffer)?;
        if response.closes {
            *self = Self::open(self.addr)?;
        }
        Ok(Reply {
            status: response.status,
            body,
            took,
        })
    }

    /// Whether the other end has closed it while nothing was asked.
    fn is_closed(&self) -> Result<bool> {
        self.stream.set_nonblocking(true)?;
        let seen = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        Ok(!matches!(seen, Err(error) if error.kind() == ErrorKind::WouldBlock))
    }

    fn read_more(&mut self) -> Result<()> {
        let mut part = [0; 16 * 1024];
        match self
            .stream
            .read(&mut part)
            .context("waiting for the answer")?
        {
            0 => bail!("expected an answer, found the connection closed"),
            count => self.buffer.extend_from_slice(&part[..count]),
        }
        Ok(())
    }
}
