//! The admin port's connections: HTTP/1.1, a bounded number of them, and none that says
//! nothing for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service as _;

use super::server::router;
use super::state::Admin;
use stoa_http::listener::Listener;
use stoa_http::shutdown::Drain;

/// Open connections at most: more than there are operators, programs that watch and
/// collectors of metrics. Some ten KiB each.
const CONNECTIONS: usize = 1024;
/// How long a client may take for a request's head, and between two requests.
const HEAD: Duration = Duration::from_secs(30);

/// How long the other end may take nothing of what is sent.
const SILENT: Duration = Duration::from_secs(60);

/// Serves the API until the drain begins; then stops accepting. Connections hold the
/// drain open until they have ended.
pub async fn serve(admin: Admin, listener: TcpListener, drain: Drain) {
    // Made ready once: else each connection would copy all routes.
    let router = router(admin).with_state(());
    accept(router, listener, drain, CONNECTIONS).await;
}

async fn accept(router: Router, listener: TcpListener, drain: Drain, connections: usize) {
    let room = Arc::new(Semaphore::new(connections));
    let mut listener = Listener::new(listener);
    loop {
        // A connection beyond the limit waits in the system's queue.
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = drain.begun() => return,
        };
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.begun() => return,
        };
        let (router, drain) = (router.clone(), drain.clone());
        tokio::spawn(async move {
            carry(router, stream, drain).await;
            drop(permit);
        });
    }
}

/// Has the system end a connection whose other end is gone, or takes nothing of what it
/// asked for.
fn guard(stream: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENT))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENT))?;
    Ok(())
}

async fn carry(router: Router, stream: TcpStream, drain: Drain) {
    if let Err(error) = guard(&stream) {
        tracing::debug!(%error, "an admin connection could not be guarded");
    }
    let service = service_fn(move |request| router.clone().call(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an admin connection broke");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use stoa_http::shutdown::Drainer;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    async fn answered(stream: &mut TcpStream) {
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drainer = Drainer::new();
        let router = Router::new().route("/", get(|| async { "ok" }));
        tokio::spawn(accept(router, listener, drainer.drain(), 1));

        // One connection at a time: each of these keeps the next from being served.
        for said in [&b""[..], b"GET / HT", GET] {
            let mut idle = TcpStream::connect(address).await.unwrap();
            idle.write_all(said).await.unwrap();
            let mut next = TcpStream::connect(address).await.unwrap();
            next.write_all(GET).await.unwrap();
            answered(&mut next).await;
            drop(next);
            let mut rest = Vec::new();
            idle.read_to_end(&mut rest).await.unwrap();
        }
    }
}
