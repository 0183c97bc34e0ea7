//! Contents, a file each, named by the SHA-256 of what is in it.
//!
//! `ab/abcd…` in the folder; what is being written is in `new/`. A file never changes, and
//! the same content is there once. Who is about to name one [pins](Files::pin) it, and who
//! is about to remove one [claims](Files::claim) it: of one content never both. Neither is
//! a lock: only those who want the same content wait for each other, and no thread does.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::StoreError;
use crate::sled::large::{remove, sync_dir};

/// SHA-256 of a content.
pub(in crate::sled) type Digest = [u8; 32];

const NEW: &str = "new";

/// The folder of contents.
#[derive(Debug)]
pub(in crate::sled) struct Files {
    dir: PathBuf,
    busy: Mutex<HashMap<Digest, Busy>>,
    /// A content is busy no more.
    freed: Notify,
    /// Contents to which perhaps no name leads.
    doubtful: Mutex<HashSet<Digest>>,
}

/// Who has a content.
#[derive(Debug)]
enum Busy {
    /// So many are about to name it.
    Pinned(usize),
    /// Somebody is about to remove it.
    Claimed,
}

/// Keeps a content from being removed.
pub(super) struct Pin {
    files: Arc<Files>,
    pub(super) digest: Digest,
    named: bool,
}

/// Keeps a content from being named.
pub(super) struct Claim {
    files: Arc<Files>,
    digest: Digest,
}

/// A file that is being written; removed unless it gets its name.
#[derive(Debug)]
pub(super) struct NewFile {
    path: Option<PathBuf>,
    pub(super) file: File,
}

// === impl Files ===

impl Files {
    /// Opens the folder, and removes what was being written when the last host ended.
    pub(in crate::sled) fn open_in(dir: PathBuf) -> Result<Arc<Self>, StoreError> {
        let new = dir.join(NEW);
        let opened = fs::create_dir_all(&new).and_then(|()| {
            for entry in fs::read_dir(&new)? {
                fs::remove_file(entry?.path())?;
            }
            Ok(())
        });
        opened.map_err(|fault| failed("opening", &new, &fault))?;
        Ok(Arc::new(Self {
            dir,
            busy: Mutex::default(),
            freed: Notify::new(),
            doubtful: Mutex::default(),
        }))
    }

    /// A new file. Blocks.
    pub(super) fn create(&self) -> Result<NewFile, StoreError> {
        let path = self.dir.join(NEW).join(Uuid::now_v7().simple().to_string());
        let file = File::create_new(&path).map_err(|fault| failed("making", &path, &fault))?;
        Ok(NewFile {
            path: Some(path),
            file,
        })
    }

    /// A content's file; `None` if it is not there.
    pub(super) async fn open(&self, digest: Digest) -> Result<Option<File>, StoreError> {
        let path = self.path(&digest);
        blocking(move || match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(failed("opening", &path, &fault)),
        })
        .await
    }

    /// Waits until nobody is removing a content, and keeps it from then on.
    pub(super) async fn pin(self: &Arc<Self>, digest: Digest) -> Pin {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // What is freed from now on is told.
            freed.as_mut().enable();
            if self.try_pin(digest) {
                return Pin {
                    files: Arc::clone(self),
                    digest,
                    named: false,
                };
            }
            freed.await;
        }
    }

    fn try_pin(&self, digest: Digest) -> bool {
        match self.busy().entry(digest).or_insert(Busy::Pinned(0)) {
            Busy::Pinned(pins) => {
                *pins += 1;
                true
            }
            Busy::Claimed => false,
        }
    }

    /// `None` if somebody else has it: then it is theirs to name or to doubt.
    pub(super) fn claim(self: &Arc<Self>, digest: Digest) -> Option<Claim> {
        let mut busy = self.busy();
        if busy.contains_key(&digest) {
            return None;
        }
        busy.insert(digest, Busy::Claimed);
        Some(Claim {
            files: Arc::clone(self),
            digest,
        })
    }

    /// Gives a written file the name of its content; it is on disk after that. Blocks.
    pub(super) fn keep(&self, new: &mut NewFile, pin: &Pin) -> Result<(), StoreError> {
        let Some(from) = new.path.take() else {
            return Ok(());
        };
        let to = self.path(&pin.digest);
        let folder = to.parent().unwrap_or(&self.dir);
        let kept = new.file.sync_data().and_then(|()| {
            fs::create_dir_all(folder)?;
            // Over one that is there: it has the same, if it is not damaged.
            fs::rename(&from, &to)?;
            sync_dir(folder)?;
            sync_dir(&self.dir)
        });
        kept.map_err(|fault| {
            new.path = Some(from);
            failed("writing", &to, &fault)
        })
    }

    /// These may have no name.
    pub(super) fn doubt(&self, digests: impl IntoIterator<Item = Digest>) {
        self.doubtful().extend(digests);
    }

    /// All that may have no name; they are doubted no more.
    pub(super) fn take_doubtful(&self) -> HashSet<Digest> {
        std::mem::take(&mut self.doubtful())
    }

    /// This one is being looked at.
    pub(super) fn trust(&self, digest: &Digest) {
        self.doubtful().remove(digest);
    }

    /// All contents that are there. Blocks.
    pub(super) fn all(&self) -> Result<Vec<Digest>, StoreError> {
        let mut found = Vec::new();
        for folder in listed(&self.dir)? {
            if folder.ends_with(NEW) {
                continue;
            }
            for path in listed(&folder)? {
                match digest_of(&path) {
                    Some(digest) if self.path(&digest) == path => found.push(digest),
                    _ => {
                        tracing::warn!(path = %path.display(), "an unknown file among the blobs");
                    }
                }
            }
        }
        Ok(found)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = hex::encode(digest);
        self.dir.join(&name[..2]).join(name)
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Digest, Busy>> {
        // Each change under the lock is complete in itself.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doubtful(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pin ===

impl Pin {
    /// A name leads to it from now on.
    pub(super) fn named(mut self) {
        self.named = true;
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if !self.named {
            self.files.doubt([self.digest]);
        }
        let mut busy = self.files.busy();
        match busy.get_mut(&self.digest) {
            Some(Busy::Pinned(pins @ 2..)) => *pins -= 1,
            _ => drop(busy.remove(&self.digest)),
        }
    }
}

// === impl Claim ===

impl Claim {
    /// Removes the file. Blocks.
    pub(super) fn remove(self) {
        remove(self.files.path(&self.digest));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.files.busy().remove(&self.digest);
        self.files.freed.notify_waiters();
    }
}

// === impl NewFile ===

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            remove(path);
        }
    }
}

/// Does what waits for the disk on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    crate::sled::keyvalue::blocking(work).await
}

fn listed(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(dir).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect()
    });
    entries.map_err(|fault| failed("listing", dir, &fault))
}

fn digest_of(path: &Path) -> Option<Digest> {
    let mut digest = Digest::default();
    hex::decode_to_slice(path.file_name()?.to_str()?, &mut digest).ok()?;
    Some(digest)
}

pub(super) fn failed(doing: &str, path: &Path, fault: &std::io::Error) -> StoreError {
    StoreError::io(&format!("{doing} {}", path.display()), fault)
}
