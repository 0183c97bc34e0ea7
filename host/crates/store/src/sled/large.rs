//! Values too large for the tree, a file each.
//!
//! The tree rewrites whole pages of entries and does not sync what it keeps
//! beside its log. So a value over [`INLINE_MAX`] is written and synced here
//! first, and the tree holds a pointer to it. A file never changes. It goes when
//! the write that replaced it is on disk, or at the next start when a crash came
//! between: it names its key, so what no pointer leads to can be told.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::stored::Pointer;
use crate::StoreError;

/// Longest value in the tree, in bytes: a page of 16 such entries with the
/// longest keys still fits the tree's log (a quarter of `SEGMENT`).
pub(super) const INLINE_MAX: usize = 16 << 10;

/// The folder of large values.
#[derive(Debug)]
pub(super) struct LargeValues {
    dir: PathBuf,
}

/// A written file that nothing points to yet; removed unless kept.
pub(super) struct NewFile {
    path: Option<PathBuf>,
    pub(super) pointer: Pointer,
}

// === impl LargeValues ===

impl LargeValues {
    pub(super) fn open(dir: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&dir).map_err(|fault| failed("making", &dir, &fault))?;
        Ok(Self { dir })
    }

    pub(super) fn path(&self, pointer: &Pointer) -> PathBuf {
        self.dir.join(pointer.id.simple().to_string())
    }

    /// Writes a file and waits for the disk. Blocks.
    pub(super) fn write(&self, key: &[u8], value: &[u8]) -> Result<NewFile, StoreError> {
        let pointer = Pointer {
            id: Uuid::now_v7(),
            digest: blake3::hash(value),
        };
        let path = self.path(&pointer);
        let new = NewFile {
            path: Some(path.clone()),
            pointer,
        };
        write_synced(&path, key, value)
            .and_then(|()| sync_dir(&self.dir))
            .map_err(|fault| failed("writing", &path, &fault))?;
        Ok(new)
    }

    /// The value, or `None` when the file is gone. Blocks.
    pub(super) fn read(&self, pointer: &Pointer) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(pointer);
        let mut content = match fs::read(&path) {
            Ok(content) => content,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(failed("reading", &path, &fault)),
        };
        let start = content
            .first_chunk()
            .map(|len| 4 + u32::from_le_bytes(*len) as usize);
        match start.filter(|start| *start <= content.len()) {
            Some(start) if blake3::hash(&content[start..]) == pointer.digest => {
                content.drain(..start);
                Ok(Some(content))
            }
            _ => Err(StoreError::Corrupt(
                format!("{} is not what was written", path.display()).into(),
            )),
        }
    }

    /// Removes the files that a crash left: those for which `in_use(key, id)` is
    /// false.
    pub(super) fn sweep(
        &self,
        mut in_use: impl FnMut(&[u8], Uuid) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let entries =
            fs::read_dir(&self.dir).map_err(|fault| failed("listing", &self.dir, &fault))?;
        for entry in entries {
            let path = entry
                .map_err(|fault| failed("listing", &self.dir, &fault))?
                .path();
            let Some(id) = path
                .file_name()
                .and_then(|name| Uuid::try_parse(name.to_str()?).ok())
            else {
                tracing::warn!(path = %path.display(), "an unknown file among the stored values");
                continue;
            };
            // A header that can't be read is a write that was never finished.
            let used = match owner(&path) {
                Some(key) => in_use(&key, id)?,
                None => false,
            };
            if !used {
                remove(path);
            }
        }
        Ok(())
    }
}

// === impl NewFile ===

impl NewFile {
    /// A pointer leads to the file now.
    pub(super) fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            remove(path);
        }
    }
}

/// Removes a file without a use. A failure costs space until the next start.
pub(super) fn remove(path: PathBuf) {
    if let Err(fault) = fs::remove_file(&path)
        && fault.kind() != ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %fault, "an unused value stays on disk until the next start");
    }
}

/// Makes the creation of files in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    // Elsewhere a directory can't be opened as a file, and need not be.
    if cfg!(unix) {
        File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}

fn write_synced(path: &Path, key: &[u8], value: &[u8]) -> std::io::Result<()> {
    let key_len = u32::try_from(key.len()).map_err(std::io::Error::other)?;
    let mut file = File::create_new(path)?;
    file.write_all(&key_len.to_le_bytes())?;
    file.write_all(key)?;
    file.write_all(value)?;
    file.sync_data()
}

fn owner(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let mut len = [0; 4];
    file.read_exact(&mut len).ok()?;
    let mut key = Vec::new();
    let len = u64::from(u32::from_le_bytes(len));
    let read = file.take(len).read_to_end(&mut key).ok()?;
    (read as u64 == len).then_some(key)
}

fn failed(doing: &str, path: &Path, fault: &std::io::Error) -> StoreError {
    StoreError::io(&format!("{doing} {}", path.display()), fault)
}
