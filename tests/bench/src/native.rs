//! What everything is compared with: hyper, alone, on the same number of workers.
//!
//! Two answers, as cheap as hyper makes them: a text of 13 bytes at `/`, and a
//! priced order at `/orders` by serde_json. Announces itself like every server
//! here, and ends when its standard input does, so that it never outlives the
//! driver.

pub mod shop;

use std::convert::Infallible;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::child::SERVING;
use crate::order;
use crate::report::say;
use shop::Shop;

/// Serves until standard input ends.
///
/// # Errors
/// No socket, or no runtime.
pub fn serve() -> Result<()> {
    run(None)
}

/// The same for the shop without a host, with its data in a folder.
///
/// # Errors
/// As [`serve`]; and the folder can't be used.
pub fn serve_shop(folder: &Path) -> Result<()> {
    run(Some(Shop::open(folder)?))
}

fn run(shop: Option<Arc<Shop>>) -> Result<()> {
    std::thread::spawn(|| {
        // Whatever comes, the end of it is the end.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("starting tokio")?;
    runtime.block_on(accept(shop))
}

async fn accept(shop: Option<Arc<Shop>>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("binding a port")?;
    say(&format!("{SERVING}{}/", listener.local_addr()?));
    loop {
        let (stream, _) = listener.accept().await.context("accepting a connection")?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, shop.clone()));
    }
}

async fn connection(stream: TcpStream, shop: Option<Arc<Shop>>) {
    let (server, io) = (http1::Builder::new(), TokioIo::new(stream));
    // A client that went away is no fault of the server.
    let _ = match shop {
        Some(shop) => {
            let answer = |request| shop.clone().answer(request);
            server.serve_connection(io, service_fn(answer)).await
        }
        None => server.serve_connection(io, service_fn(answer)).await,
    };
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match request.uri().path() {
        "/orders" => priced(request).await,
        _ => Response::new(Full::new(Bytes::from_static(b"Hello, world!"))),
    })
}

async fn priced(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let priced = match request.into_body().collect().await {
        Ok(body) => order::process(&body.to_bytes()),
        Err(fault) => Err(fault.to_string()),
    };
    let (status, body) = match priced {
        Ok(summary) => (StatusCode::OK, summary),
        Err(fault) => (StatusCode::BAD_REQUEST, fault.into_bytes()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
