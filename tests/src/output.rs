//! The lines of a process, to wait on.

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::PATIENCE;

/// The lines that a process has written so far.
#[derive(Debug, Clone)]
pub struct Output {
    lines: watch::Sender<Vec<String>>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            lines: watch::Sender::new(Vec::new()),
        }
    }
}

impl Output {
    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Waits for a line, past ones included.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut lines = self.lines.subscribe();
        let search = lines.wait_for(|lines| lines.iter().any(|line| wanted(line)));
        let found = timeout(PATIENCE, search)
            .await
            .with_context(|| format!("the line never came: {}", self.tail()))??;
        found
            .iter()
            .find(|line| wanted(line))
            .cloned()
            .context("the line was just seen")
    }

    /// The last lines, for people.
    pub fn tail(&self) -> String {
        let lines = self.lines.borrow();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Takes all lines that `from` has, from now on; ends with it.
    pub fn follow(&self, from: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let lines = self.lines.clone();
        tokio::spawn(async move {
            let mut from = BufReader::new(from).lines();
            while let Ok(Some(line)) = from.next_line().await {
                lines.send_modify(|lines| lines.push(line));
            }
        })
    }
}
