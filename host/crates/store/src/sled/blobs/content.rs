//! A content that is being read.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use super::files::blocking;
use super::stored::Entry;
use crate::{BlobReply, Content, ObjectInfo, StoreError};

/// What is read at once at most, in bytes.
const PIECE: u64 = 256 << 10;

/// [`Content`] of a file.
pub(super) struct DiskContent {
    file: Arc<File>,
    entry: Entry,
    left: Range<u64>,
    /// Of what was read, where all of it is.
    hash: Option<Context>,
}

impl DiskContent {
    pub(super) fn new(file: File, entry: Entry, range: Range<u64>) -> Self {
        let end = range.end.min(entry.size);
        let left = range.start.min(end)..end;
        let is_whole = left == (0..entry.size);
        Self {
            file: Arc::new(file),
            entry,
            left,
            hash: is_whole.then(|| Context::new(&SHA256)),
        }
    }

    /// Counts what was read, and looks whether it is what was written.
    fn took(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.left.start += bytes.len() as u64;
        let Some(mut hash) = self.hash.take() else {
            return Ok(());
        };
        hash.update(bytes);
        if !self.left.is_empty() {
            self.hash = Some(hash);
            return Ok(());
        }
        match hash.finish().as_ref() == self.entry.digest {
            true => Ok(()),
            false => Err(damaged(&self.entry)),
        }
    }
}

impl Content for DiskContent {
    fn info(&self) -> ObjectInfo {
        self.entry.info()
    }

    fn left(&self) -> u64 {
        self.left.end - self.left.start
    }

    fn read(&mut self, most: usize) -> BlobReply<'_, Bytes> {
        Box::pin(async move {
            let length = self.left().min(PIECE).min(most as u64) as usize;
            if length == 0 {
                return Ok(Bytes::new());
            }
            let (file, at) = (Arc::clone(&self.file), self.left.start);
            let entry = self.entry;
            let bytes = blocking(move || {
                let mut bytes = vec![0; length];
                match file.read_exact_at(&mut bytes, at) {
                    Ok(()) => Ok(bytes),
                    Err(fault) if fault.kind() == ErrorKind::UnexpectedEof => Err(damaged(&entry)),
                    Err(fault) => Err(StoreError::io("reading a blob", &fault)),
                }
            });
            let bytes = bytes.await?;
            self.took(&bytes)?;
            Ok(bytes.into())
        })
    }
}

fn damaged(entry: &Entry) -> StoreError {
    let name = hex::encode(entry.digest);
    StoreError::Corrupt(format!("the blob {name} is not what was written").into())
}
