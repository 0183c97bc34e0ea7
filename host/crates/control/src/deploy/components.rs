//! Uploaded components, one file each, named by the SHA-256 of its bytes.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// The components of one data directory.
pub struct Components {
    folder: PathBuf,
    /// Bytes that a component may have.
    limit: u64,
    /// Digests that deployments under way need, one for each that needs it.
    pinned: Mutex<Vec<String>>,
}

/// Keeps components from being swept while it lives.
pub struct Pinned<'c> {
    components: &'c Components,
    digests: Vec<String>,
}

/// What a sweep left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that are gone.
    pub removed: usize,
    /// Digests of the components that are there.
    pub kept: HashSet<String>,
    /// Bytes of all files that are there.
    pub bytes: u64,
}

/// Why a component could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// Not 64 hexadecimal digits.
    #[error("expected a SHA-256 digest as 64 lower-case hexadecimal digits, found {0:?}")]
    Digest(String),
    /// The bytes are others than announced.
    #[error(
        "expected bytes with the SHA-256 {announced}, found {found}; upload the component again"
    )]
    Mismatch {
        /// What the client said.
        announced: String,
        /// What the bytes give.
        found: String,
    },
    /// More bytes than the host takes.
    #[error(
        "the component is larger than the {limit} bytes that this host takes (setting engine.max_component)"
    )]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The upload broke off.
    #[error("the upload broke off: {0}")]
    Upload(String),
    /// The disk failed.
    #[error("the component can't be stored or read: {0}")]
    Io(#[from] io::Error),
}

impl Components {
    /// Opens the folder, and makes it on first use.
    ///
    /// # Errors
    ///
    /// When the folder can't be made.
    pub fn open(folder: PathBuf, limit: u64) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            limit,
            pinned: Mutex::default(),
        })
    }

    /// Keeps these components, as far as they are there, until it is dropped.
    pub fn pin(&self, digests: Vec<String>) -> Pinned<'_> {
        self.pinned().extend_from_slice(&digests);
        Pinned {
            components: self,
            digests,
        }
    }

    /// Whether the component is there. One that is asked for counts as young again.
    ///
    /// # Errors
    ///
    /// [`ComponentError::Digest`] when `digest` is none.
    pub fn has(&self, digest: &str) -> Result<bool, ComponentError> {
        let opened = std::fs::File::open(self.path(digest)?);
        Ok(opened
            .and_then(|file| file.set_modified(SystemTime::now()))
            .is_ok())
    }

    /// Stores an upload. Nothing is stored unless its bytes give `digest`.
    ///
    /// # Errors
    ///
    /// When it is too large, breaks off, or is something else than announced.
    pub async fn store<E: std::fmt::Display>(
        &self,
        digest: &str,
        mut upload: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), ComponentError> {
        let target = self.path(digest)?;
        let temporary = self
            .folder
            .join(format!("{digest}.{:016x}.tmp", fastrand::u64(..)));
        let stored = self.receive(digest, &temporary, &mut upload).await;
        match stored {
            Ok(()) => Ok(fs::rename(&temporary, &target).await?),
            Err(error) => {
                // The first error is the one to report.
                let _ = fs::remove_file(&temporary).await;
                Err(error)
            }
        }
    }

    /// The bytes of a component, checked against its digest.
    ///
    /// # Errors
    ///
    /// When it is not there or not what it was.
    pub fn read(&self, digest: &str) -> Result<Vec<u8>, ComponentError> {
        let bytes = std::fs::read(self.path(digest)?)?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != digest {
            return Err(ComponentError::Mismatch {
                announced: digest.to_owned(),
                found,
            });
        }
        Ok(bytes)
    }

    /// Removes every component that is neither in `used` nor pinned, and every upload that
    /// broke off, if nobody has written it or asked for it since `before`.
    ///
    /// # Errors
    ///
    /// When the folder can't be read.
    pub fn sweep(&self, used: &HashSet<String>, before: SystemTime) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let digest = name.strip_suffix(".wasm");
            // An upload may end, and take another name, meanwhile.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            // Held until the file is gone: who pins it then does not find it.
            let pinned = self.pinned();
            let is_needed = digest.is_some_and(|digest| {
                used.contains(digest) || pinned.iter().any(|pinned| pinned == digest)
            });
            if is_needed || metadata.modified()? >= before {
                swept.bytes += metadata.len();
                swept.kept.extend(digest.map(str::to_owned));
            } else {
                std::fs::remove_file(entry.path())?;
                swept.removed += 1;
            }
        }
        Ok(swept)
    }

    async fn receive<E: std::fmt::Display>(
        &self,
        digest: &str,
        path: &Path,
        upload: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    ) -> Result<(), ComponentError> {
        let mut file = fs::File::create(path).await?;
        let mut hasher = Sha256::new();
        let mut size = 0;
        while let Some(chunk) = upload.next().await {
            let chunk = chunk.map_err(|error| ComponentError::Upload(error.to_string()))?;
            size += chunk.len() as u64;
            if size > self.limit {
                return Err(ComponentError::TooLarge { limit: self.limit });
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await?;
        }
        let found = hex::encode(hasher.finalize());
        if found != digest {
            return Err(ComponentError::Mismatch {
                announced: digest.to_owned(),
                found,
            });
        }
        // A deployment that is acknowledged must find its component after a crash.
        Ok(file.sync_all().await?)
    }

    fn pinned(&self) -> MutexGuard<'_, Vec<String>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, digest: &str) -> Result<PathBuf, ComponentError> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digest.len() != 64 || !digest.bytes().all(hexadecimal) {
            return Err(ComponentError::Digest(digest.to_owned()));
        }
        Ok(self.folder.join(format!("{digest}.wasm")))
    }
}

// === impl Pinned ===

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        let mut pinned = self.components.pinned();
        for digest in &self.digests {
            if let Some(at) = pinned.iter().position(|pinned| pinned == digest) {
                pinned.swap_remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chunk = Result<Bytes, String>;

    fn upload(chunks: &[&'static str]) -> impl Stream<Item = Chunk> + Unpin + use<> {
        futures::stream::iter(
            chunks
                .iter()
                .map(|chunk| Ok(Bytes::from(*chunk)))
                .collect::<Vec<Chunk>>(),
        )
    }

    fn digest(text: &str) -> String {
        hex::encode(Sha256::digest(text))
    }

    #[tokio::test]
    async fn an_upload_is_stored_under_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let components = Components::open(folder.path().to_owned(), 100).unwrap();
        let name = digest("two chunks");
        assert!(!components.has(&name).unwrap());
        components
            .store(&name, upload(&["two ", "chunks"]))
            .await
            .unwrap();
        assert!(components.has(&name).unwrap());
        assert_eq!(components.read(&name).unwrap(), b"two chunks");
    }

    #[tokio::test]
    async fn what_nobody_needs_or_asks_for_goes() {
        let folder = tempfile::tempdir().unwrap();
        let components = Components::open(folder.path().to_owned(), 100).unwrap();
        let file = |name: &str| folder.path().join(name);
        let long_ago = SystemTime::UNIX_EPOCH;
        let age = |name: &str| {
            let opened = std::fs::File::open(file(name)).unwrap();
            opened.set_modified(long_ago).unwrap();
        };
        let names = ["used", "asked", "old", "fresh"].map(digest);
        for (text, name) in ["used", "asked", "old", "fresh"].into_iter().zip(&names) {
            components.store(name, upload(&[text])).await.unwrap();
        }
        for name in &names[..3] {
            age(&format!("{name}.wasm"));
        }
        for broken in ["old.tmp", "fresh.tmp"] {
            std::fs::write(file(broken), "part").unwrap();
        }
        age("old.tmp");
        assert!(components.has(&names[1]).unwrap());
        let used = HashSet::from([names[0].clone()]);
        let before = SystemTime::now() - std::time::Duration::from_secs(60);
        let swept = components.sweep(&used, before).unwrap();
        let kept = [&names[0], &names[1], &names[3]].map(Clone::clone);
        assert_eq!((swept.removed, swept.kept), (2, HashSet::from(kept)));
        assert_eq!(swept.bytes, 4 + 5 + 5 + 4);
        assert!(!components.has(&names[2]).unwrap());
        assert!(!file("old.tmp").exists() && file("fresh.tmp").exists());
    }

    #[tokio::test]
    async fn what_a_deployment_pins_stays() {
        let folder = tempfile::tempdir().unwrap();
        let components = Components::open(folder.path().to_owned(), 100).unwrap();
        let name = digest("component");
        let stored = components.store(&name, upload(&["component"])).await;
        stored.unwrap();
        let removed = || {
            // Everything is older than that.
            let before = SystemTime::now() + std::time::Duration::from_secs(60);
            components.sweep(&HashSet::new(), before).unwrap().removed
        };
        let (one, other) = (
            components.pin(vec![name.clone()]),
            components.pin(vec![name.clone()]),
        );
        assert_eq!(removed(), 0);
        drop(one);
        assert_eq!(removed(), 0, "another deployment needs it still");
        drop(other);
        assert_eq!(removed(), 1);
    }

    #[tokio::test]
    async fn a_bad_upload_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let components = Components::open(folder.path().to_owned(), 5).unwrap();
        let other = components.store(&digest("other"), upload(&["abc"])).await;
        assert!(
            matches!(other, Err(ComponentError::Mismatch { .. })),
            "{other:?}"
        );
        let large = components
            .store(&digest("abcdef"), upload(&["abc", "def"]))
            .await;
        assert!(
            matches!(large, Err(ComponentError::TooLarge { limit: 5 })),
            "{large:?}"
        );
        let broken =
            futures::stream::iter([Ok(Bytes::from("ab")), Err("connection reset".to_owned())]);
        let broken = components.store(&digest("abc"), broken).await;
        assert!(
            matches!(broken, Err(ComponentError::Upload(_))),
            "{broken:?}"
        );
        let path = components.store("../../etc/passwd", upload(&["abc"])).await;
        assert!(matches!(path, Err(ComponentError::Digest(_))), "{path:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_component_that_changed_on_disk_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let components = Components::open(folder.path().to_owned(), 100).unwrap();
        let name = digest("component");
        components
            .store(&name, upload(&["component"]))
            .await
            .unwrap();
        std::fs::write(folder.path().join(format!("{name}.wasm")), "something").unwrap();
        assert!(matches!(
            components.read(&name),
            Err(ComponentError::Mismatch { .. })
        ));
    }
}
