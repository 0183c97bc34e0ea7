//! Which services changed on disk. Waits on the system's notifications and
//! never looks by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use stoa_settings::manifest::{Manifest, ServiceManifest};

use super::output::Output;

/// How long nothing must happen before a change counts as whole: an editor
/// writes several files, a checkout hundreds.
const QUIET: Duration = Duration::from_millis(150);
/// And how long that can be put off.
const LONGEST: Duration = Duration::from_secs(2);

/// Folders that builds and tools write into, below any that is watched.
const IGNORED: [&str; 4] = ["target", ".git", ".stoa", "node_modules"];

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The manifest itself did.
    pub manifest: bool,
    /// Services with a file that did.
    pub services: BTreeSet<String>,
}

/// Watches the files of a manifest.
#[derive(Debug, Default)]
pub struct Watcher {
    pending: Arc<Pending>,
    files: Option<RecommendedWatcher>,
}

impl Watcher {
    /// Watches what this manifest names, in place of what was watched before.
    /// A path that can't be watched is told and passed over.
    ///
    /// # Errors
    /// If the system has no notifications for us.
    pub fn watch(&mut self, manifest: &Manifest, output: Output) -> anyhow::Result<()> {
        let targets = targets(manifest, output);
        let folders = folders(&targets);
        let pending = self.pending.clone();
        let told = move |event: notify::Result<Event>| match event {
            Ok(event) if concerns_content(&event) => pending.mark(&targets, &event.paths),
            Ok(_) | Err(_) => {}
        };
        let mut files = notify::recommended_watcher(told).context("files can't be watched")?;
        for (folder, mode) in folders {
            if let Err(fault) = files.watch(&folder, mode) {
                output.note(&format!("{} can't be watched: {fault}", folder.display()));
            }
        }
        self.files = Some(files);
        Ok(())
    }

    /// The next changes, once they have come to rest.
    pub async fn changes(&mut self) -> Changes {
        self.pending.settled().await
    }
}

/// A path, and whose it is.
#[derive(Debug, Clone)]
struct Target {
    path: PathBuf,
    owner: Owner,
}

#[derive(Debug, Clone)]
enum Owner {
    Manifest,
    Service(String),
}

impl Target {
    fn is_hit(&self, path: &Path) -> bool {
        path.strip_prefix(&self.path).is_ok_and(|below| {
            let mut parts = below.components().map(|part| part.as_os_str());
            !parts.any(|part| IGNORED.iter().any(|ignored| part == *ignored))
        })
    }
}

/// Changes that were seen and not yet taken.
#[derive(Debug, Default)]
struct Pending {
    changes: Mutex<Changes>,
    seen: Notify,
}

impl Pending {
    fn mark(&self, targets: &[Target], paths: &[PathBuf]) {
        let hit = |target: &&Target| paths.iter().any(|path| target.is_hit(path));
        for target in targets.iter().filter(hit) {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            match &target.owner {
                Owner::Manifest => changes.manifest = true,
                Owner::Service(name) => {
                    changes.services.insert(name.clone());
                }
            }
            self.seen.notify_one();
        }
    }

    async fn settled(&self) -> Changes {
        self.seen.notified().await;
        let end = Instant::now() + LONGEST;
        while Instant::now() < end && timeout(QUIET, self.seen.notified()).await.is_ok() {}
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether something was written, made or taken away, and not only looked at.
fn concerns_content(event: &Event) -> bool {
    let looked_at = matches!(
        event.kind,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_))
    );
    !looked_at
}

fn targets(manifest: &Manifest, output: Output) -> Vec<Target> {
    let own = [(manifest.file.as_path(), Owner::Manifest)];
    let services = manifest.services.iter().flat_map(|(name, service)| {
        watched(service)
            .iter()
            .map(|path| (path.as_path(), Owner::Service(name.clone())))
    });
    let target = |(path, owner): (&Path, Owner)| match real(path) {
        Some(path) => Some(Target { path, owner }),
        None => {
            output.note(&format!(
                "{} is not there and can't be watched",
                path.display()
            ));
            None
        }
    };
    own.into_iter().chain(services).filter_map(target).collect()
}

/// What a service is made from; without a word on that, its component.
fn watched(service: &ServiceManifest) -> &[PathBuf] {
    match service.watch.as_slice() {
        [] => std::slice::from_ref(&service.component),
        paths => paths,
    }
}

/// The path as notifications name it. What is not there yet needs its folder.
fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let folder = path.parent()?.canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    })
}

/// The folders to watch. A file is watched by its folder: editors put a new file
/// in the place of the old one.
fn folders(targets: &[Target]) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut folders = BTreeMap::new();
    for target in targets {
        if target.path.is_dir() {
            folders.insert(target.path.clone(), RecursiveMode::Recursive);
        } else if let Some(folder) = target.path.parent() {
            folders
                .entry(folder.to_owned())
                .or_insert(RecursiveMode::NonRecursive);
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Format;

    fn target(path: &str, service: &str) -> Target {
        Target {
            path: path.into(),
            owner: Owner::Service(service.into()),
        }
    }

    fn services(changes: &Changes) -> Vec<&str> {
        changes.services.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_builds_write_is_no_change() {
        let source = target("/a/src", "a");
        assert!(source.is_hit(Path::new("/a/src/deep/lib.rs")));
        assert!(source.is_hit(Path::new("/a/src")));
        assert!(!source.is_hit(Path::new("/a/src/target/debug/x")));
        assert!(!source.is_hit(Path::new("/a/srcs/lib.rs")));
        let inside = target("/w/target/a.wasm", "a");
        assert!(
            inside.is_hit(Path::new("/w/target/a.wasm")),
            "named, so meant"
        );
    }

    #[tokio::test]
    async fn changes_come_together_and_once() {
        let pending = Pending::default();
        let targets = [target("/a", "a"), target("/b", "b"), target("/c", "c")];
        for path in ["/a/x", "/a/y", "/b/x"] {
            pending.mark(&targets, &[path.into()]);
        }
        let begun = Instant::now();
        let changes = pending.settled().await;
        assert_eq!(services(&changes), ["a", "b"]);
        assert!(begun.elapsed() >= QUIET, "more could have come");
        let again = timeout(QUIET * 2, pending.settled()).await;
        assert!(again.is_err(), "nothing is told twice");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn endless_changes_are_told_all_the_same() {
        let pending = Arc::new(Pending::default());
        let marking = pending.clone();
        let endless = tokio::spawn(async move {
            loop {
                marking.mark(&[target("/a", "a")], &["/a/x".into()]);
                tokio::task::yield_now().await;
            }
        });
        let changes = timeout(LONGEST * 10, pending.settled())
            .await
            .expect("it is told in time");
        assert_eq!(services(&changes), ["a"]);
        endless.abort();
    }

    #[tokio::test]
    async fn a_write_and_a_replaced_file_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("src")).unwrap();
        let text = "[service.a]\ncomponent = \"a.wasm\"\nwatch = [\"src\"]\n[service.b]\ncomponent = \"b.wasm\"\n";
        std::fs::write(path("stoa.toml"), text).unwrap();
        let manifest = Manifest::load(folder.path()).unwrap();
        let mut watcher = Watcher::default();
        watcher.watch(&manifest, Output::new(Format::Json)).unwrap();

        std::fs::write(path("src/lib.rs"), "x").unwrap();
        let changes = timeout(LONGEST * 30, watcher.changes()).await.unwrap();
        assert_eq!((changes.manifest, services(&changes)), (false, vec!["a"]));

        std::fs::write(path("new"), "x").unwrap();
        std::fs::rename(path("new"), path("b.wasm")).unwrap();
        std::fs::write(path("stoa.toml"), text).unwrap();
        let mut seen = Changes::default();
        // A slow machine may tell of them one by one.
        while !seen.manifest || seen.services.is_empty() {
            let changes = timeout(LONGEST * 30, watcher.changes()).await.unwrap();
            seen.manifest |= changes.manifest;
            seen.services.extend(changes.services);
        }
        assert_eq!(services(&seen), ["b"]);
    }
}
