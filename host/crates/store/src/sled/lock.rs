//! One host a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use super::unusable;
use crate::StoreError;

/// Holds the data directory for this process. The operating system lets go of
/// it when the process ends, however it ends.
pub(super) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    const FILE: &str = "lock";

    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(Self::FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|fault| unusable(dir, &fault))?;
        match file.try_lock() {
            Ok(()) => {
                // Who it is helps the next one's message, nothing else: a
                // failure to write it is not worth refusing to start.
                let _ = file
                    .set_len(0)
                    .and_then(|()| write!(file, "{}", std::process::id()));
                Ok(Self { file })
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                dir: dir.to_owned(),
                holder: holder(&mut file),
            }),
            Err(TryLockError::Error(fault)) => Err(unusable(dir, &fault)),
        }
    }
}

impl Drop for DirectoryLock {
    /// Closing the file would not do: a process that is being started holds it, too,
    /// until it runs its own program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    match file.read_to_string(&mut pid) {
        Ok(_) if !pid.is_empty() => format!("the process {pid}"),
        _ => "another process".to_owned(),
    }
}
