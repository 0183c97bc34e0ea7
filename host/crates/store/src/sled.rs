//! State on one machine: sled for the entries, files for large values and for blobs.
//!
//! The only place that knows sled. Its own flush timer is off, and its flush is
//! called from the committer thread alone: called from tasks it can deadlock.
//!
//! In the data directory: `lock`, `state/` (sled's), `values/` and `blobs/`.

mod blobs;
mod commit;
mod committer;
mod expiring;
mod keyvalue;
mod large;
mod leases;
mod lock;
mod log;
mod records;
mod stored;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod growth_tests;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::blobs::{Files, Names, SledBlobs};
use self::commit::SledCommit;
use self::committer::Committer;
use self::expiring::SledExpiring;
use self::keyvalue::SledKeyValue;
use self::large::LargeValues;
use self::leases::SledLeases;
use self::lock::DirectoryLock;
use self::log::SledLog;
use self::records::SledRecords;
use self::stored::Stored;
use super::{Blobs, Commit, Expiring, Flushed, KeyValue, Leases, Log, Records, StoreError, Watch};

/// Pages kept in memory, in bytes. Enough for the working set of a host of small
/// services, and well within an idle host's budget.
const CACHE: u64 = 64 << 20;

/// A piece of sled's log, in bytes. A page over a quarter of it goes to a file
/// that sled does not sync: see [`large::INLINE_MAX`].
const SEGMENT: usize = 2 << 20;

/// How long threads of a store that was closed in this process may take to let
/// go of its files.
const LINGER: Duration = Duration::from_secs(2);

/// The state of one host, in its data directory.
///
/// Large values and blobs are read and written on tokio's blocking threads, so replies
/// must be awaited within its runtime.
pub struct Store {
    keyvalue: Arc<SledKeyValue>,
    records: Arc<SledRecords>,
    expiring: Arc<SledExpiring>,
    leases: Arc<SledLeases>,
    blobs: Arc<SledBlobs>,
    log: Arc<SledLog>,
    committer: Arc<Committer>,
    _lock: DirectoryLock,
}

impl Store {
    /// Opens the state in `dir`, and makes the directory if it is not there.
    /// Blocks; takes milliseconds.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NotWritable`],
    /// [`StoreError::NoSpace`], [`StoreError::Corrupt`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_watched(dir, None)
    }

    /// The same, with somebody who is there at each write.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_watched(dir: &Path, watch: Option<Watch>) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|fault| unusable(dir, &fault))?;
        let lock = DirectoryLock::take(dir)?;
        let db = open_sled(dir, &dir.join("state"))?;
        let tree = |name: &str| {
            db.open_tree(name)
                .map_err(|error| fault("opening the store", error))
        };
        let (buckets, records) = (tree("keyvalue")?, tree("records")?);
        let (expiring, leases) = (tree("expiring")?, tree("leases")?);
        let (blobs, files) = (tree("blobs")?, Files::open_in(dir.join("blobs"))?);

        let large = Arc::new(LargeValues::open(dir.join("values"))?);
        sweep(&large, &buckets)?;
        let committer = Arc::new(Committer::start(flush(db, &dir.join("state"))?, watch)?);
        // The files exist from now on: so should their names, after a crash.
        [dir, &dir.join("state")]
            .iter()
            .try_for_each(|made| large::sync_dir(made))
            .map_err(|fault| unusable(dir, &fault))?;
        let log = log::open(buckets.clone(), Arc::clone(&committer))?;
        let names = Names::open(blobs, files, Arc::clone(&committer))?;
        Ok(Self {
            log: Arc::new(log),
            blobs: Arc::new(SledBlobs(names)),
            keyvalue: Arc::new(SledKeyValue {
                tree: buckets,
                large,
                committer: Arc::clone(&committer),
            }),
            records: Arc::new(SledRecords {
                tree: records,
                committer: Arc::clone(&committer),
            }),
            leases: Arc::new(SledLeases {
                tree: leases,
                committer: Arc::clone(&committer),
            }),
            expiring: Arc::new(SledExpiring::new(expiring, Arc::clone(&committer))?),
            committer,
            _lock: lock,
        })
    }

    /// Has the time of each flush told from now on, to who asks first.
    pub fn tell_flushes(&self, flushed: Flushed) {
        self.committer.tell_flushes(flushed);
    }

    /// The buckets of all services.
    pub fn keyvalue(&self) -> Arc<dyn KeyValue> {
        Arc::clone(&self.keyvalue) as Arc<dyn KeyValue>
    }

    /// The host's own records.
    pub fn records(&self) -> Arc<dyn Records> {
        Arc::clone(&self.records) as Arc<dyn Records>
    }

    /// What the host keeps for a time.
    pub fn expiring(&self) -> Arc<dyn Expiring> {
        Arc::clone(&self.expiring) as Arc<dyn Expiring>
    }

    /// Which host does what.
    pub fn leases(&self) -> Arc<dyn Leases> {
        Arc::clone(&self.leases) as Arc<dyn Leases>
    }

    /// The blobs of all services.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.blobs) as Arc<dyn Blobs>
    }

    /// The queues of all services.
    pub fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    /// Writes of buckets and messages of queues in one step.
    pub fn commits(&self) -> Arc<dyn Commit> {
        Arc::new(SledCommit {
            keyvalue: Arc::clone(&self.keyvalue),
            log: Arc::clone(&self.log),
        })
    }

    /// Puts everything on disk and ends the committer thread, as dropping does.
    /// Writes through what the store gave out fail with [`StoreError::Closed`] from now
    /// on. Blocks.
    pub fn close(self) {}
}

impl Drop for Store {
    fn drop(&mut self) {
        self.committer.close();
    }
}

/// Opens sled, and tells a crash of its recovery as what it is: damage.
fn open_sled(dir: &Path, path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE)
        .segment_size(SEGMENT)
        .flush_every_ms(None);
    let begun = Instant::now();
    loop {
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        match opened {
            Ok(Ok(db)) => return Ok(db),
            // Our own lock is taken, so this is a store of this process whose
            // last threads are about to end.
            Ok(Err(sled::Error::Io(error))) if is_locked(&error) && begun.elapsed() < LINGER => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(Err(sled::Error::Io(error))) if is_locked(&error) => {
                return Err(StoreError::InUse {
                    dir: dir.to_owned(),
                    holder: "a store of this process".to_owned(),
                });
            }
            Ok(Err(sled::Error::Io(error))) => return Err(unusable(dir, &error)),
            Ok(Err(error)) => return Err(fault("opening the store", error)),
            Err(_) => {
                return Err(StoreError::Corrupt(
                    format!("{} can't be recovered", path.display()).into(),
                ));
            }
        }
    }
}

fn is_locked(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::Other
        && error.to_string().contains("could not acquire lock")
}

/// Removes large values that a crash left without an entry.
fn sweep(large: &LargeValues, buckets: &sled::Tree) -> Result<(), StoreError> {
    large.sweep(|key, id| {
        let raw = buckets
            .get(key)
            .map_err(|error| fault("reading a bucket", error))?;
        Ok(match raw.as_deref().map(Stored::decode).transpose()? {
            Some(Stored::Large(pointer)) => pointer.id == id,
            _ => false,
        })
    })
}

/// What puts all writes on disk. sled alone asks the kernel to write (on Linux),
/// which a crash of the process survives but the loss of power may not: the
/// second step makes the disk keep it.
fn flush(
    db: sled::Db,
    path: &Path,
) -> Result<impl FnMut() -> Result<(), StoreError> + use<>, StoreError> {
    let log: PathBuf = path.join("db");
    let opened = OpenOptions::new().read(true).write(true).open(&log);
    let file = opened.map_err(|fault| StoreError::io("opening the log", &fault))?;
    Ok(move || {
        db.flush().map_err(|error| fault("flushing", error))?;
        file.sync_data()
            .map_err(|fault| StoreError::io("flushing", &fault))
    })
}

fn unusable(dir: &Path, fault: &std::io::Error) -> StoreError {
    match StoreError::io("opening the data directory", fault) {
        StoreError::Io(_) => StoreError::NotWritable {
            dir: dir.to_owned(),
            reason: fault.to_string().into(),
        },
        other => other,
    }
}

fn fault(doing: &str, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(fault) => StoreError::io(doing, &fault),
        other => StoreError::Corrupt(format!("{doing}: {other}").into()),
    }
}
