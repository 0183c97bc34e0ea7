//! Native code on disk, so that a restart and a rollback compile nothing.
//!
//! A file is named by the component's digest and the engine it is for, and
//! starts with a keyed hash of its content. The key stays in the data directory:
//! a file that is damaged, cut short or put there by somebody else does not
//! verify, and the component is compiled again.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const MAC: usize = blake3::OUT_LEN;
/// File of the key.
const KEY: &str = "key";
/// How the name of a file ends that is being written.
const TEMPORARY: &str = ".tmp";

/// The cache of one data directory.
pub(super) struct Cache {
    folder: PathBuf,
    key: [u8; blake3::KEY_LEN],
}

impl Cache {
    /// Opens the cache in `folder`, and makes its key on first use.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let key = read_or_make_key(&folder.join(KEY))?;
        Ok(Self { folder, key })
    }

    /// The code stored under `name`, if it is whole and ours.
    pub(super) fn load(&self, name: &str) -> Option<Vec<u8>> {
        let mut content = fs::read(self.path(name)).ok()?;
        if content.len() < MAC {
            tracing::warn!(
                name,
                "compiled code in the cache is cut short; compiling again"
            );
            return None;
        }
        let code = content.split_off(MAC);
        let stored = <[u8; MAC]>::try_from(content.as_slice()).expect("the length was checked");
        if self.mac(name, &code) != blake3::Hash::from(stored) {
            tracing::warn!(
                name,
                "compiled code in the cache is damaged or not from this host; compiling again"
            );
            return None;
        }
        Some(code)
    }

    /// Stores code under `name`; a crash in between leaves the old state.
    pub(super) fn store(&self, name: &str, code: &[u8]) -> io::Result<()> {
        let target = self.path(name);
        let temporary = self
            .folder
            .join(format!("{name}.{:016x}{TEMPORARY}", fastrand::u64(..)));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(self.mac(name, code).as_bytes())?;
        file.write_all(code)?;
        fs::rename(&temporary, &target).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }

    /// Removes all whose name is not `needed`, and what was not written to its end
    /// `before` then. Gives the bytes of what is left.
    pub(super) fn sweep(&self, needed: impl Fn(&str) -> bool, before: SystemTime) -> u64 {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // It may be gone by now.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let young = || metadata.modified().is_ok_and(|written| written >= before);
            if name == KEY || needed(&name) || name.ends_with(TEMPORARY) && young() {
                bytes += metadata.len();
            } else if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(name, "compiled code that nothing needs stays: {error}");
            }
        }
        bytes
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The name is part of what is signed, so that one file can't pose as another.
    fn mac(&self, name: &str, code: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.key)
            .update(name.as_bytes())
            .update(&[0])
            .update(code)
            .finalize()
    }
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; blake3::KEY_LEN]> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() == blake3::KEY_LEN => {
            return Ok(<[u8; blake3::KEY_LEN]>::try_from(bytes.as_slice())
                .expect("the length was checked"));
        }
        Ok(_) => {
            tracing::warn!(path = %path.display(), "the cache's key is damaged; making a new one, and compiling again")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = random_key()?;
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

fn random_key() -> io::Result<[u8; blake3::KEY_LEN]> {
    let mut key = [0; blake3::KEY_LEN];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned()).unwrap();
        cache.store("a", b"code").unwrap();
        assert_eq!(cache.load("a").as_deref(), Some(&b"code"[..]));
        let again = Cache::open(folder.path().to_owned()).unwrap();
        assert_eq!(
            again.load("a").as_deref(),
            Some(&b"code"[..]),
            "the key is kept"
        );
    }

    #[test]
    fn a_file_that_is_damaged_cut_short_renamed_or_foreign_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned()).unwrap();
        cache.store("a", b"some native code").unwrap();
        let good = fs::read(folder.path().join("a")).unwrap();

        for at in [0, MAC, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(folder.path().join("a"), bad).unwrap();
            assert_eq!(cache.load("a"), None, "byte {at} is flipped");
        }
        for length in [0, MAC - 1, MAC, good.len() - 1] {
            fs::write(folder.path().join("a"), &good[..length]).unwrap();
            assert_eq!(cache.load("a"), None, "cut to {length} bytes");
        }
        fs::write(folder.path().join("b"), &good).unwrap();
        assert_eq!(cache.load("b"), None, "stored under another name");

        let other = tempfile::tempdir().unwrap();
        let foreign = Cache::open(other.path().to_owned()).unwrap();
        foreign.store("a", b"some native code").unwrap();
        fs::copy(other.path().join("a"), folder.path().join("a")).unwrap();
        assert_eq!(cache.load("a"), None, "made by another host");
    }

    #[test]
    fn what_is_not_needed_goes_but_for_what_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned()).unwrap();
        for name in ["a-now", "a-before", "b-now"] {
            cache.store(name, b"code").unwrap();
        }
        let file = |name: &str| folder.path().join(name);
        for name in ["a-now.1.tmp", "a-now.2.tmp"] {
            fs::write(file(name), "part").unwrap();
        }
        let old = fs::File::open(file("a-now.1.tmp")).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let before = SystemTime::now() - std::time::Duration::from_secs(60);
        let bytes = cache.sweep(|name| name == "a-now", before);
        assert_eq!(bytes as usize, blake3::KEY_LEN + MAC + 4 + 4);
        assert!(cache.load("a-now").is_some());
        assert!(cache.load("a-before").is_none() && cache.load("b-now").is_none());
        assert!(!file("a-now.1.tmp").exists() && file("a-now.2.tmp").exists());
    }

    #[test]
    fn the_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Cache::open(folder.path().to_owned()).unwrap();
        let mode = fs::metadata(folder.path().join("key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
