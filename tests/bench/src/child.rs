//! Servers as child processes: started, read until they listen, ended with us.
//!
//! Every server announces its address as `wasmtime serve` does. Knows nothing of
//! what it serves.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// The announcement of the address that serves HTTP.
pub const SERVING: &str = "Serving HTTP on http://";

/// A cold start compiles nothing; longer means that it hangs.
const START: Duration = Duration::from_secs(30);
/// Enough of its last words to tell why a server ended.
const LAST_WORDS: usize = 20;

/// What shells report of a program that ended by an interrupt.
pub const INTERRUPTED_CODE: u8 = 130;

static LIVE: Mutex<Vec<Weak<Mutex<Child>>>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LEFT_BEHIND: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A server that runs until this is dropped.
pub struct Server {
    name: String,
    pid: u32,
    child: Arc<Mutex<Child>>,
    words: Arc<Mutex<VecDeque<String>>>,
    lines: Receiver<String>,
}

impl Server {
    /// Starts a server. Its standard input stays open as long as this process lives.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        let mut child = command
            // With it set, every trap and instantiation pays for a stack walk.
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        let pid = child.id();
        let stderr = child
            .stderr
            .take()
            .context("its standard error is a pipe")?;
        let child = Arc::new(Mutex::new(child));
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(&child));
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, lines) = sync_channel(LAST_WORDS);
        let kept = Arc::clone(&words);
        thread::spawn(move || listen(stderr, &kept, &sender));
        Ok(Self {
            name: name.to_owned(),
            pid,
            child,
            words,
            lines,
        })
    }

    /// Waits for the line that begins with `announcement`, and reads its address.
    ///
    /// # Errors
    /// The server ended, or did not say it in time; with its last words.
    pub fn address(&self, announcement: &str) -> Result<SocketAddr> {
        let start = Instant::now();
        loop {
            let left = START.saturating_sub(start.elapsed());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(fault) => {
                    let (name, words) = (&self.name, self.last_words());
                    let end = match fault {
                        RecvTimeoutError::Disconnected => "it ended".to_owned(),
                        RecvTimeoutError::Timeout => format!("nothing for {} s", START.as_secs()),
                    };
                    bail!(
                        "{name}: expected the line {announcement:?}, but {end}; its last lines:\n{words}"
                    );
                }
            };
            if let Some(rest) = line.strip_prefix(announcement) {
                let text = rest.split('/').next().unwrap_or_default();
                return text
                    .parse()
                    .with_context(|| format!("reading the address in {line:?}"));
            }
        }
    }

    /// Waits for a program that ends by itself, not longer than `limit`.
    ///
    /// # Errors
    /// It did not end in time, or with another exit code than 0; with its last words.
    pub fn finish(self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        // The lines end when the program does.
        while let Err(RecvTimeoutError::Timeout) | Ok(_) = self
            .lines
            .recv_timeout(limit.saturating_sub(start.elapsed()))
        {
            if start.elapsed() >= limit {
                let (name, seconds, words) = (&self.name, limit.as_secs(), self.last_words());
                bail!("{name}: expected it to end within {seconds} s; its last lines:\n{words}");
            }
        }
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child
            .wait()
            .with_context(|| format!("waiting for {}", self.name))?;
        if !status.success() {
            bail!(
                "{}: expected exit code 0, found {status}; its last lines:\n{}",
                self.name,
                self.last_words()
            );
        }
        Ok(())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it last wrote to standard error.
    pub fn last_words(&self) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Ends every server when this process is told to end.
///
/// # Errors
/// The signals can't be listened to.
pub fn end_all_on_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("listening to signals")?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
        });
        INTERRUPTED.store(true, Ordering::SeqCst);
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter()
            .filter_map(Weak::upgrade)
            .for_each(|child| end(&child));
        let left_behind = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
        for directory in left_behind.iter() {
            // It is gone already where its server was dropped.
            let _ = std::fs::remove_dir_all(directory);
        }
        std::process::exit(i32::from(INTERRUPTED_CODE));
    });
    Ok(())
}

/// Whether this process was told to end: then that its servers are gone is no fault.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Has a server's directory removed when this process is told to end: a signal
/// runs no destructor.
pub fn remove_on_signal(directory: &Path) {
    LEFT_BEHIND
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(directory.to_owned());
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // It may have ended by itself: then there is nothing to do.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads to the end, so that the server never blocks on a full pipe.
fn listen(stderr: ChildStderr, words: &Mutex<VecDeque<String>>, lines: &SyncSender<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() == LAST_WORDS {
            words.pop_front();
        }
        words.push_back(line.clone());
        // Nobody asks any more once the addresses are known: the rest is dropped.
        let _ = lines.try_send(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Server {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Server::start("the script", command).unwrap()
    }

    #[test]
    fn an_address_is_read_from_its_line() {
        let server = shell("echo first >&2; echo 'Serving HTTP on http://127.0.0.1:80/' >&2; cat");
        assert_eq!(
            server.address(SERVING).unwrap(),
            "127.0.0.1:80".parse().unwrap()
        );
    }

    #[test]
    fn a_server_that_ends_at_once_tells_why() {
        let fault = shell("echo no port left >&2")
            .address(SERVING)
            .unwrap_err()
            .to_string();
        assert!(
            fault.contains("it ended") && fault.contains("no port left"),
            "{fault}"
        );
    }

    #[test]
    fn a_program_ends_by_itself_or_is_told_off() {
        assert!(shell("echo done >&2").finish(START).is_ok());
        let fault = shell("echo broken >&2; exit 3")
            .finish(START)
            .unwrap_err()
            .to_string();
        assert!(
            fault.contains("exit status: 3") && fault.contains("broken"),
            "{fault}"
        );
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let server = shell("cat");
        let pid = server.pid();
        let fault = server
            .finish(Duration::from_millis(20))
            .unwrap_err()
            .to_string();
        assert!(fault.contains("expected it to end"), "{fault}");
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
