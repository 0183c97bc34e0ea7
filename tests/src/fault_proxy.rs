//! A TCP proxy that spoils what passes through it: between a client and the
//! gateway, the gateway and an upstream, a guest's request and its target.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// What happens to a connection's answer. Requests pass as they are.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// It waits until [`FaultProxy::release`].
    Delay,
    /// The connection is reset when the request has arrived.
    Reset,
    /// The client's side is closed for writing after this many bytes; the rest of
    /// the request is still read.
    HalfClose(usize),
    /// The connection is reset after this many bytes.
    Truncate(usize),
    /// These bytes come instead.
    Garbage(Vec<u8>),
}

/// A proxy on a loopback port. It ends when it is dropped.
pub struct FaultProxy {
    /// Where it listens.
    pub address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    released: Arc<Notify>,
    cut: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts a proxy to `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(target: SocketAddr, fault: Fault) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let fault = Arc::new(Mutex::new(fault));
        let released = Arc::new(Notify::new());
        let (now, gate) = (fault.clone(), released.clone());
        let (cut, cuts) = watch::channel(());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let fault = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (gate, mut cut) = (gate.clone(), cuts.clone());
                cut.mark_unchanged();
                // What a spoiled connection ends with is of no interest.
                connections.spawn(async move {
                    tokio::select! {
                        passed = pass(client, target, fault, gate) => drop(passed),
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            fault,
            released,
            cut,
            task,
        })
    }

    /// `http://ADDR:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happens to connections from now on.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Ends the connections that are there.
    pub fn cut(&self) {
        self.cut.send_replace(());
    }

    /// Lets the answers pass that are delayed.
    pub fn release(&self) {
        self.released.notify_waiters();
        self.released.notify_one();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    fault: Fault,
    gate: Arc<Notify>,
) -> Result<()> {
    let mut server = TcpStream::connect(target).await?;
    match fault {
        Fault::None => {
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Fault::Delay => {
            let mut head = vec![0; 64 << 10];
            let length = client.read(&mut head).await?;
            server.write_all(&head[..length]).await?;
            gate.notified().await;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Fault::Reset => {
            client.read_u8().await?;
            reset(client)?;
        }
        Fault::Garbage(bytes) => {
            // What is unread when a connection closes resets it, and the bytes are lost.
            client.read_buf(&mut Vec::with_capacity(64 << 10)).await?;
            client.write_all(&bytes).await?;
            client.shutdown().await?;
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await?;
        }
        Fault::HalfClose(length) => {
            spoil(&mut client, &mut server, length).await?;
            client.shutdown().await?;
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await?;
        }
        Fault::Truncate(length) => {
            spoil(&mut client, &mut server, length).await?;
            reset(client)?;
        }
    }
    Ok(())
}

/// Passes requests on, and the first `length` bytes of what comes back.
async fn spoil(client: &mut TcpStream, server: &mut TcpStream, length: usize) -> Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let forward = tokio::io::copy(&mut from_client, &mut to_server);
    let back = take(from_server, &mut to_client, length);
    tokio::select! {
        copied = back => copied,
        copied = forward => Ok(copied.map(|_| ())?),
    }
}

async fn take(from: ReadHalf<'_>, to: &mut WriteHalf<'_>, length: usize) -> Result<()> {
    let mut limited = from.take(length as u64);
    tokio::io::copy(&mut limited, to).await?;
    Ok(())
}

/// RST in place of FIN.
fn reset(stream: TcpStream) -> Result<()> {
    stream.set_zero_linger()?;
    Ok(())
}
