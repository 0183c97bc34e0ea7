//! The end of the host: signals, and waiting for what is under way.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal as listen};
use tokio::sync::{mpsc, watch};

/// Completes at the first SIGINT or SIGTERM, or when the host is asked to `stop`. A
/// signal after that ends the process at once, with the exit code that shells give for
/// an interrupt.
///
/// # Errors
///
/// When the system refuses the signal handlers.
pub async fn signal(stop: &Stop) -> std::io::Result<()> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = stop.asked() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(())
}

/// Asks the host to end, from within.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: watch::Sender<bool>,
    limit: Duration,
}

/// Held by everything that must end before the host does.
#[derive(Clone)]
pub struct Drain {
    begun: watch::Receiver<bool>,
    /// Nothing is ever sent: the last drop tells that all have ended.
    _held: mpsc::Sender<()>,
}

/// Gives out holds on a drain and holds it not: for what lives as long as the host.
#[derive(Clone)]
pub struct Holds {
    begun: watch::Receiver<bool>,
    held: mpsc::WeakSender<()>,
}

/// Begins a drain and waits for its end.
pub struct Drainer {
    begin: watch::Sender<bool>,
    drain: Option<Drain>,
    ended: mpsc::Receiver<()>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything has ended by itself.
    All,
    /// The time was over; what was left is cut off.
    InPart,
}

impl Stop {
    /// Nobody has asked yet. The drain that follows lasts for `limit` at most.
    pub fn new(limit: Duration) -> Self {
        let asked = watch::Sender::new(false);
        Self { asked, limit }
    }

    /// Asks for the end.
    pub fn ask(&self) {
        self.asked.send_replace(true);
    }

    /// How long what is under way may go on.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Completes when the end is asked for.
    pub async fn asked(&self) {
        let mut asked = self.asked.subscribe();
        // This very value keeps the other end.
        let _ = asked.wait_for(|asked| *asked).await;
    }
}

impl Drain {
    /// Waits until the drain begins.
    pub async fn begun(&self) {
        let mut begun = self.begun.clone();
        // An error means that the drainer is gone: nobody waits any more.
        let _ = begun.wait_for(|begun| *begun).await;
    }
}

impl Holds {
    /// A hold on the drain, unless that has ended. Until then it may have begun.
    pub fn hold(&self) -> Option<Drain> {
        self.held.upgrade().map(|held| Drain {
            begun: self.begun.clone(),
            _held: held,
        })
    }
}

impl Drainer {
    /// A drain that has not begun.
    pub fn new() -> Self {
        let (begin, begun) = watch::channel(false);
        let (held, ended) = mpsc::channel(1);
        Self {
            begin,
            drain: Some(Drain { begun, _held: held }),
            ended,
        }
    }

    /// A hold on the drain.
    pub fn drain(&self) -> Drain {
        self.drain
            .clone()
            .expect("holds are given out before the drain begins")
    }

    /// Where further holds come from, also while the drain is under way.
    pub fn holds(&self) -> Holds {
        let drain = self.drain();
        Holds {
            begun: drain.begun.clone(),
            held: drain._held.downgrade(),
        }
    }

    /// Begins the drain and waits until every hold is dropped, at most for `limit`.
    pub async fn run(mut self, limit: Duration) -> Drained {
        // There may be nobody who holds it.
        let _ = self.begin.send(true);
        self.drain = None;
        match tokio::time::timeout(limit, self.ended.recv()).await {
            Ok(_) => Drained::All,
            Err(_) => Drained::InPart,
        }
    }
}

impl Default for Drainer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_its_holds() {
        let drainer = Drainer::new();
        let hold = drainer.drain();
        let worker = tokio::spawn(async move {
            hold.begun().await;
            drop(hold);
        });
        assert_eq!(drainer.run(Duration::from_secs(60)).await, Drained::All);
        worker.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_the_holds_given_out_by_others() {
        let drainer = Drainer::new();
        let (holds, connection) = (drainer.holds(), drainer.drain());
        let (given, taken) = tokio::sync::oneshot::channel();
        tokio::spawn({
            let holds = holds.clone();
            async move {
                connection.begun().await;
                given.send(holds.hold()).ok();
            }
        });
        let mut drained = Box::pin(drainer.run(Duration::from_secs(60)));
        assert!(futures::poll!(&mut drained).is_pending());
        let hold = taken.await.unwrap();
        assert!(hold.is_some());
        assert!(futures::poll!(&mut drained).is_pending());
        drop(hold);
        assert_eq!(drained.await, Drained::All);
        assert!(holds.hold().is_none(), "it has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_at_its_limit() {
        let drainer = Drainer::new();
        let _hold = drainer.drain();
        assert_eq!(drainer.run(Duration::from_secs(60)).await, Drained::InPart);
    }
}
