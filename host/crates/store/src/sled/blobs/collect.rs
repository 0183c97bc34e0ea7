//! Removing contents that no name leads to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sled::Tree;

use super::files::{Digest, blocking};
use super::names::Names;
use super::stored;
use crate::StoreError;
use crate::sled::fault;

impl Names {
    /// Completes when all that was changed is on disk.
    pub(super) async fn durable(&self) -> Result<(), StoreError> {
        self.committer.ticket(None).await
    }

    /// Completes when all that was changed is on disk, and removes these contents where
    /// no other name leads to them.
    pub(super) async fn settle(&self, unnamed: Vec<Digest>) -> Result<(), StoreError> {
        self.durable().await?;
        self.free(unnamed).await?;
        Ok(())
    }

    /// As [`Blobs::collect`](crate::Blobs::collect).
    pub(super) async fn collect(&self) -> Result<u64, StoreError> {
        let mut doubtful = self.files.take_doubtful();
        if !self.swept.swap(true, Ordering::Relaxed) {
            match self.unnamed_files().await {
                Ok(found) => doubtful.extend(found),
                Err(error) => {
                    self.swept.store(false, Ordering::Relaxed);
                    self.files.doubt(doubtful);
                    return Err(error);
                }
            }
        }
        if doubtful.is_empty() {
            return Ok(0);
        }
        // The file of a name goes after the name has gone from the disk.
        if let Err(error) = self.durable().await {
            self.files.doubt(doubtful);
            return Err(error);
        }
        self.free(doubtful).await
    }

    /// Files to which no name leads, as it seems.
    async fn unnamed_files(&self) -> Result<Vec<Digest>, StoreError> {
        let (files, tree) = (Arc::clone(&self.files), self.tree.clone());
        blocking(move || {
            let mut all = files.all()?;
            let mut read = Ok(());
            all.retain(|digest| match is_named(&tree, digest) {
                Ok(is_named) => !is_named,
                Err(error) => {
                    read = Err(error);
                    false
                }
            });
            read.map(|()| all)
        })
        .await
    }

    async fn free(&self, digests: impl IntoIterator<Item = Digest>) -> Result<u64, StoreError> {
        let mut freed = 0;
        for digest in digests {
            self.files.trust(&digest);
            let Some(claim) = self.files.claim(digest) else {
                // Somebody names it, or looked at it before it lost its name.
                self.files.doubt([digest]);
                continue;
            };
            if !is_named(&self.tree, &digest)? {
                blocking(move || {
                    claim.remove();
                    Ok(())
                })
                .await?;
                freed += 1;
            }
        }
        Ok(freed)
    }
}

fn is_named(tree: &Tree, digest: &Digest) -> Result<bool, StoreError> {
    let first = tree.scan_prefix(stored::names_of(digest)).next();
    first.map_or(Ok(false), |found| {
        found.map_err(|error| fault("reading names of blobs", error))?;
        Ok(true)
    })
}
