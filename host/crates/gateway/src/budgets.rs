//! What a request may cost, as numbers that no machine changes: allocations, reads and
//! writes of its socket, bytes of the futures that carry it. They only go down: a change
//! that needs more says why here.
//!
//! The whole way is real, from the connection to the component; the client is at the
//! other end of a pipe in memory, on the same thread.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::{future, io};

use http_body_util::Full;
use serde_json::{Value, json};
use stoa_tests::guests;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::io::{DuplexStream, ReadBuf, duplex};
use tokio::runtime::{Builder, Runtime};

use super::client::Client;
use super::connection::{self, Leaves};
use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::handle::Unanswered;
use super::serve::serve;
use super::testing::{GREETING, hosted};

/// Requests that are counted, after as many that are not.
const REQUESTS: u64 = 64;

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// How the answer of a function ends.
const END: &[u8] = b"\"Hello, world!\"";

/// What one request costs.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    allocations: u64,
    reads: u64,
    writes: u64,
}

/// Of a function with a text for its result, beyond what hyper alone needs for the same
/// answer.
const MORE: Cost = Cost {
    allocations: 3,
    reads: 0,
    writes: 0,
};

/// Of a handler by `wasi:http` 0.2.
const MORE_P2: Cost = Cost {
    allocations: 55,
    reads: 0,
    writes: 0,
};

/// Of a handler by `wasi:http` 0.3.
const MORE_P3: Cost = Cost {
    allocations: 91,
    reads: 0,
    writes: 0,
};

/// A socket that counts what would be calls of the system.
struct Counted {
    pipe: DuplexStream,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    reads: AtomicU64,
    writes: AtomicU64,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.calls.reads.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Leaves for Counted {
    fn poll_left(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sends a request and waits for its answer, which ends so, without an allocation.
async fn ask(client: &mut DuplexStream, answer: &mut [u8], end: &[u8]) -> usize {
    client.write_all(HELLO).await.unwrap();
    let mut filled = 0;
    loop {
        let read = client.read(&mut answer[filled..]).await.unwrap();
        filled += read;
        assert!(read > 0, "the connection was closed");
        if answer[..filled].ends_with(end) {
            return filled;
        }
    }
}

/// The cost of a request of those that `serve` answers, each like the other.
fn cost<F: Future<Output = ()>>(
    runtime: &Runtime,
    end: &[u8],
    serve: impl FnOnce(Counted) -> F,
) -> Cost {
    let (mut client, pipe) = duplex(4096);
    let calls = Arc::new(Calls::default());
    let socket = Counted {
        pipe,
        calls: calls.clone(),
    };
    let serving = serve(socket);
    let mut serving = std::pin::pin!(serving);
    let mut answer = [0; 1024];
    let mut ask_all = || {
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                tokio::select! {
                    biased;
                    () = &mut serving => panic!("the connection has ended"),
                    _ = ask(&mut client, &mut answer, end) => {}
                }
            }
        });
    };
    ask_all();
    let counted = || [&calls.reads, &calls.writes].map(|calls| calls.load(Ordering::Relaxed));
    let before = counted();
    let allocated = allocation_counter::measure(ask_all);
    let [reads, writes] = counted();
    Cost {
        allocations: allocated.count_total / REQUESTS,
        reads: (reads - before[0]) / REQUESTS,
        writes: (writes - before[1]) / REQUESTS,
    }
}

/// Of the answers that `component` gives where `target` leads.
fn cost_of(runtime: &Runtime, component: &[u8], target: &Value, end: &[u8]) -> Cost {
    let route = json!({ "method": "GET", "path": "/hello", "target": target, "access": "public" });
    let hosted = runtime.block_on(hosted(component, &[route]));
    let client = Client::new(SocketAddr::from(([127, 0, 0, 1], 1)));
    cost(runtime, end, |socket| {
        let drain = hosted.drainer.drain();
        connection::serve(hosted.gateway.clone(), (socket, ()), client, drain)
    })
}

/// Of hyper's own.
fn cost_of_hyper(runtime: &Runtime) -> Cost {
    cost(runtime, END, |socket| async {
        let answer = |_| {
            let body = Full::new(bytes::Bytes::from_static(b"\"Hello, world!\""));
            future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(body)))
        };
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(
                hyper_util::rt::TokioIo::new(socket),
                hyper::service::service_fn(answer),
            )
            .await;
        served.unwrap();
    })
}

impl Cost {
    fn assert_at_most(&self, hyper: &Self, more: &Self) {
        let bound = Self {
            allocations: hyper.allocations + more.allocations,
            reads: hyper.reads + more.reads,
            writes: hyper.writes + more.writes,
        };
        assert!(
            self.allocations <= bound.allocations
                && self.reads <= bound.reads
                && self.writes <= bound.writes,
            "expected {bound:?} at most, hyper's own {hyper:?} among them, found {self:?}"
        );
    }
}

#[test]
fn a_call_of_a_function_costs_little_more_than_http() {
    let runtime = runtime();
    let component = wat::parse_str(GREETING).unwrap();
    let target = json!({ "call": "test:hello/greeting.greet" });
    let ours = cost_of(&runtime, &component, &target, END);
    ours.assert_at_most(&cost_of_hyper(&runtime), &MORE);
}

/// Most of it is the runtime's: each header and each stream is a resource in two tables.
#[test]
fn a_handler_of_its_own_costs_what_the_runtime_needs() {
    let runtime = runtime();
    let hyper = cost_of_hyper(&runtime);
    for (guest, more) in [(guests::HELLO_P2, MORE_P2), (guests::HELLO_P3, MORE_P3)] {
        let component = std::fs::read(guest).unwrap();
        let ours = cost_of(&runtime, &component, &json!("http"), b"Hello, world!");
        ours.assert_at_most(&hyper, &more);
    }
}

/// Bytes of the future that a function makes.
fn size<A, F>(_: impl Fn(A) -> F) -> usize {
    size_of::<F>()
}

/// It is moved and polled for each request.
#[test]
fn the_future_of_a_request_is_small() {
    let request = size(|request: &'static mut Unanswered| request.answer());
    type Call = (&'static mut Exchange, &'static Endpoint);
    let call = size(|(exchange, endpoint): Call| serve(exchange, endpoint));
    let whole = size_of::<Unanswered>() + request;
    assert!(whole <= 3936, "{whole} bytes");
    // Sixteen of them are references to what is pinned where it is made.
    assert!(call <= 2832, "{call} bytes");
}
