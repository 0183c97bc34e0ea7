//! Two ends of a WebSocket, joined: what one sends, the other gets.
//!
//! It ends when both ends have closed it, when one breaks off, when nothing has come
//! for long, or when it is asked to. Then the client is told so by a close frame of
//! the host's own, once the frame that is under way has ended; its answer goes on to
//! the other end, which so learns of it. Knows nothing of messages.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::frames::{Frames, GOING_AWAY};

/// Bytes of one direction that are on their way: what TCP carries at once.
const BUFFER: usize = 16 << 10;
/// Parts of the idle time: how exact its end is.
const PARTS: u32 = 4;
/// How long the other end has once one has closed: for the answer to a close frame.
const LINGER: Duration = Duration::from_secs(10);

/// How long a tunnel stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Nothing may come for so long.
    pub(super) idle: Duration,
    /// Once it is asked to end, it is cut off after this.
    pub(super) leave: Duration,
}

/// What went through a tunnel so far.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Bytes from the client.
    pub(super) up: AtomicU64,
    /// Bytes to the client.
    pub(super) down: AtomicU64,
    /// Something has come since the last look.
    moved: AtomicBool,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both ends have closed it.
    Closed,
    /// One end broke off.
    Broken,
    /// Nothing came for long.
    Idle,
    /// It was asked to, and did not in time.
    CutOff,
}

/// What a tunnel joins.
pub(super) struct Ends<C, F> {
    pub(super) client: C,
    pub(super) far: F,
}

/// Joins both ends until the tunnel's end. It is to leave once what `leaving` makes
/// completes.
pub(super) async fn join<F: Future<Output = ()>>(
    Ends { client, far }: Ends<impl AsyncRead + AsyncWrite, impl AsyncRead + AsyncWrite>,
    carried: &Carried,
    times: Times,
    leaving: impl Fn() -> F,
) -> End {
    let (client_in, client_out) = tokio::io::split(client);
    let (far_in, far_out) = tokio::io::split(far);
    let mut up = pin!(up(client_in, far_out, carried));
    let mut down = pin!(down(far_in, client_out, carried, leaving()));
    let ended = async {
        let rest = tokio::select! {
            ended = &mut up => { ended?; tokio::time::timeout(LINGER, down).await }
            ended = &mut down => { ended?; tokio::time::timeout(LINGER, up).await }
        };
        // Who does not close in time has nothing to say.
        rest.unwrap_or(Ok(()))
    };
    let cut_off = async {
        leaving().await;
        tokio::time::sleep(times.leave).await;
    };
    tokio::select! {
        ended = ended => ended.map_or(End::Broken, |()| End::Closed),
        () = quiet(carried, times.idle) => End::Idle,
        () = cut_off => End::CutOff,
    }
}

/// Completes when nothing has come for so long.
async fn quiet(carried: &Carried, idle: Duration) {
    let mut parts = 0;
    while parts < PARTS {
        tokio::time::sleep(idle / PARTS).await;
        parts = match carried.moved.swap(false, Ordering::Relaxed) {
            true => 0,
            false => parts + 1,
        };
    }
}

async fn up(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    carried: &Carried,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        carried.came(&carried.up, read);
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
        carried.came(&carried.up, 0);
    }
}

async fn down(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    carried: &Carried,
    leaving: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut frames = Frames::default();
    let mut leaving = pin!(leaving);
    let mut leaves = false;
    while !(leaves && frames.are_between()) {
        let read = tokio::select! {
            biased;
            () = &mut leaving, if !leaves => {
                leaves = true;
                continue;
            }
            read = from.read(&mut buffer) => read?,
        };
        if read == 0 {
            return to.shutdown().await;
        }
        let mut bytes = &buffer[..read];
        if leaves {
            bytes = &bytes[..frames.rest(bytes)];
        } else {
            frames.pass(bytes);
        }
        carried.came(&carried.down, bytes.len());
        to.write_all(bytes).await?;
        to.flush().await?;
        carried.came(&carried.down, 0);
    }
    to.write_all(&GOING_AWAY).await?;
    to.flush().await?;
    // After a close frame nothing is sent, section 5.5.1.
    while from.read(&mut buffer).await? > 0 {}
    to.shutdown().await
}

// === impl Carried ===

impl Carried {
    fn came(&self, direction: &AtomicU64, bytes: usize) {
        direction.fetch_add(bytes as u64, Ordering::Relaxed);
        self.moved.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const TIMES: Times = Times {
        idle: Duration::from_secs(400),
        leave: Duration::from_secs(30),
    };

    /// The outer ends of a tunnel: the client's and the far one.
    fn open<F>(
        leaving: impl Fn() -> F + Send + Sync + 'static,
    ) -> (DuplexStream, DuplexStream, JoinHandle<End>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let ((client, near), (far, beyond)) = (duplex(64), duplex(64));
        let task = tokio::spawn(async move {
            let carried = Carried::default();
            join(Ends { client: near, far }, &carried, TIMES, leaving).await
        });
        (client, beyond, task)
    }

    async fn read(from: &mut DuplexStream, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        from.read_exact(&mut read).await.unwrap();
        read
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_pass_both_ways_until_both_ends_close() {
        let (mut client, mut far, tunnel) = open(pending::<()>);
        client.write_all(b"up").await.unwrap();
        assert_eq!(read(&mut far, 2).await, b"up");
        far.write_all(b"down").await.unwrap();
        drop(far);
        assert_eq!(read(&mut client, 4).await, b"down");
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        assert_eq!(tunnel.await.unwrap(), End::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_close_after_the_other_has_is_left() {
        let (_client, far, tunnel) = open(pending::<()>);
        let began = tokio::time::Instant::now();
        drop(far);
        assert_eq!(tunnel.await.unwrap(), End::Closed);
        assert_eq!(began.elapsed(), LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_a_word_in_time_does_not() {
        let (mut client, mut far, tunnel) = open(pending::<()>);
        let began = tokio::time::Instant::now();
        for _ in 0..5 {
            tokio::time::advance(TIMES.idle / 2).await;
            client.write_all(b"x").await.unwrap();
            read(&mut far, 1).await;
        }
        assert_eq!(tunnel.await.unwrap(), End::Idle);
        let silent = began.elapsed() - TIMES.idle / 2 * 5;
        let exact = TIMES.idle..=TIMES.idle / PARTS * (PARTS + 1);
        assert!(exact.contains(&silent), "{silent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_to_leave_says_so_between_two_frames() {
        let asked = std::sync::Arc::new(Notify::new());
        let leaving = {
            let asked = asked.clone();
            move || {
                let asked = asked.clone();
                async move { asked.notified().await }
            }
        };
        let (mut client, mut far, tunnel) = open(leaving);
        far.write_all(b"\x81\x05hel").await.unwrap();
        assert_eq!(read(&mut client, 5).await, b"\x81\x05hel");
        asked.notify_waiters();
        far.write_all(b"lo\x81\x03bye").await.unwrap();
        assert_eq!(read(&mut client, 2).await, b"lo");
        assert_eq!(read(&mut client, 4).await, GOING_AWAY);
        // The answer goes through, and both ends close.
        client.write_all(b"\x88\x82mask\x6e\x88").await.unwrap();
        assert_eq!(read(&mut far, 8).await.len(), 8);
        drop(far);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        assert_eq!(tunnel.await.unwrap(), End::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_leave_is_cut_off() {
        let (mut client, mut far, tunnel) = open(|| std::future::ready(()));
        let began = tokio::time::Instant::now();
        assert_eq!(read(&mut client, 4).await, GOING_AWAY);
        far.write_all(b"\x81\x03bye").await.unwrap();
        assert_eq!(tunnel.await.unwrap(), End::CutOff);
        assert_eq!(began.elapsed(), TIMES.leave);
    }
}
