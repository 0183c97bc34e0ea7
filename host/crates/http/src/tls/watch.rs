//! The files of TLS, and when they change.
//!
//! The system tells of changes at once; where it does not (network file systems,
//! some containers) a slow look at the contents finds them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::{Settings, Tls};

/// How often the files are looked at where nothing tells of changes: certificates
/// are renewed days before they end.
const POLL: Duration = Duration::from_secs(30);
/// How long nothing must happen before a change counts as whole: a certificate and
/// its key are two files.
const QUIET: Duration = Duration::from_millis(100);
/// And how long that can be put off.
const LONGEST: Duration = Duration::from_secs(2);

/// A file's path and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: Vec<u8>,
}

/// A certificate with its chain, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) cert: File,
    pub(super) key: File,
}

/// Everything that TLS reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) own: Vec<Pair>,
    pub(super) client_ca: Option<File>,
}

impl Files {
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        let own = settings.own.iter().map(|pair| {
            Ok(Pair {
                cert: read(&pair.cert)?,
                key: read(&pair.key)?,
            })
        });
        Ok(Self {
            own: own.collect::<Result<_>>()?,
            client_ca: settings.client_ca.as_deref().map(read).transpose()?,
        })
    }
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(File {
        path: path.to_owned(),
        text,
    })
}

/// Takes up changed files, for ever. Each state of the files is tried once, so
/// that a broken one is told once.
pub(super) async fn follow(tls: &Tls) {
    let changed = Arc::new(Notify::new());
    let _watcher = watcher(&tls.settings, &changed);
    let mut tried = None;
    loop {
        let found = read_aside(&tls.settings)
            .await
            .map_err(|fault| format!("{fault:#}"));
        if tried.as_ref() != Some(&found) {
            // The first state is what the host began with, or newer.
            let taken = found
                .clone()
                .and_then(|files| tls.take_up(&files).map_err(|fault| format!("{fault:#}")));
            match taken {
                Ok(()) if tried.is_some() => tracing::info!("the certificates were read anew"),
                Ok(()) => {}
                Err(fault) => {
                    tracing::error!("new certificates can't be used, the old ones stay: {fault}");
                }
            }
            tried = Some(found);
        }
        // No change within the time: look all the same.
        let _ = timeout(POLL, changed.notified()).await;
        let end = Instant::now() + LONGEST;
        while Instant::now() < end && timeout(QUIET, changed.notified()).await.is_ok() {}
    }
}

/// A file system may take its time: connections must not wait for it.
async fn read_aside(settings: &Settings) -> Result<Files> {
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || Files::read(&settings)).await?
}

/// Watches the folders: a file that is replaced by another, as most tools do, would
/// be lost from sight.
fn watcher(settings: &Settings, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let told = changed.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            told.notify_one();
        }
    });
    let mut watcher = watcher
        .inspect_err(|fault| {
            tracing::warn!("certificates are looked at every {POLL:?} only: {fault}")
        })
        .ok()?;
    let own = settings.own.iter().flat_map(|pair| [&pair.cert, &pair.key]);
    let files = own.chain(&settings.client_ca);
    let mut folders: Vec<_> = files
        .map(|file| match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        })
        .collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        if let Err(fault) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(
                "{} is looked at every {POLL:?} only: {fault}",
                folder.display()
            );
        }
    }
    Some(watcher)
}
