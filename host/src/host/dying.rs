//! A host that dies at a chosen write, as `kill -9` would have it: for tests, and in no
//! release.
//!
//! A file holds a number. Each moment of a write counts it down, and at the last one the
//! process is gone, and the file with it. While there is no file, nothing happens.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use stoa_store::{Store, StoreError, Watch};

/// The variable that names the file.
const VARIABLE: &str = "STOA_TEST_DIES_BY_FILE";

/// Opens the store; to die at one of its writes, if the environment says so.
pub(super) fn open(data: &Path) -> Result<Store, StoreError> {
    let file = std::env::var_os(VARIABLE);
    Store::open_watched(data, file.map(watch))
}

fn watch(file: OsString) -> Watch {
    let file = Mutex::new(PathBuf::from(file));
    Arc::new(move |_| {
        // Moments come from several threads: each counts once.
        let file = file.lock().unwrap_or_else(PoisonError::into_inner);
        count_down(&file);
    })
}

fn count_down(file: &Path) {
    let left = fs::read_to_string(file).ok();
    match left.and_then(|left| left.trim().parse::<u64>().ok()) {
        None => {}
        Some(0 | 1) => {
            let _ = fs::remove_file(file);
            std::process::abort();
        }
        Some(left) => {
            // Only if it is there still: who took it away meanwhile wants no more of it.
            let there = OpenOptions::new().write(true).truncate(true).open(file);
            let _ = there.and_then(|mut there| write!(there, "{}", left - 1));
        }
    }
}
