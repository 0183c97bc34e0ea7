//! A secret of the host in a file of its own, for its owner's eyes: the operator's
//! token, the key of development tokens, the key that secrets are sealed with.
//!
//! However many make one at the same time, in one process or in several, there is one,
//! and all have it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Random bytes of a secret: beyond any search.
const BYTES: usize = 32;
/// Bytes of a file that are read: what is longer was not meant for this.
const LONGEST: u64 = 4096;

/// The secret in a file; `None` when there is none yet.
///
/// # Errors
/// When there is a file that can't be read, that others may read, or that is empty.
pub fn read_secret(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "it is open to others than its owner (mode {mode:04o}): `chmod 600` it, and \
                 replace what others may have read"
            ),
        ));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    match text.trim() {
        "" => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "expected a secret, found an empty file: remove it, and a new secret is made",
        )),
        secret => Ok(Some(secret.to_owned())),
    }
}

/// Puts a new random secret, in hex, into a file with mode 0600, unless there is one:
/// the answer is the one that the file has.
///
/// # Errors
/// When it can't be written, or the system gives no random bytes.
pub fn make_secret(path: &Path) -> io::Result<String> {
    let secret = random::<BYTES>()?;
    match make_exclusively(path, &secret) {
        Ok(()) => Ok(secret),
        // Somebody else was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read_secret(path)?.ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// Moves a secret's file to the place of another.
///
/// # Errors
/// When the system refuses.
pub fn replace_secret(by: &Path, path: &Path) -> io::Result<()> {
    fs::rename(by, path)?;
    sync_folder(path)
}

/// Writes a draft and gives it the name: a file of this name is whole as soon as it is
/// there.
fn make_exclusively(path: &Path, secret: &str) -> io::Result<()> {
    let draft = draft(path)?;
    let named = write_new(&draft, secret).and_then(|()| match fs::hard_link(&draft, path) {
        // A file system without links: there, a crash can leave an empty file.
        Err(error) if has_no_links(&error) => write_new(path, secret),
        other => other,
    });
    let removed = fs::remove_file(&draft);
    named?;
    removed?;
    sync_folder(path)
}

fn has_no_links(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, Unsupported};
    matches!(error.kind(), PermissionDenied | Unsupported)
}

/// A name beside, that nobody else has.
fn draft(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{}", random::<8>()?));
    Ok(name.into())
}

fn write_new(path: &Path, secret: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(format!("{secret}\n").as_bytes())?;
    file.sync_all()
}

/// A file whose folder is not on disk may be gone after a loss of power.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn random<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|fault| io::Error::other(format!("the system gives no random bytes: {fault}")))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        assert_eq!(read_secret(&path).unwrap(), None);
        let made = make_secret(&path).unwrap();
        assert_eq!(made.len(), 2 * BYTES);
        assert_eq!(make_secret(&path).unwrap(), made);
        assert_eq!(read_secret(&path).unwrap(), Some(made));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_secret_is_told_and_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let told = |fault: io::Error, expected: &str| {
            let fault = fault.to_string();
            assert!(fault.contains(expected), "{fault}");
        };
        told(read_secret(&path).unwrap_err(), "remove it");
        told(make_secret(&path).unwrap_err(), "remove it");
        fs::write(&path, "abc").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        told(read_secret(&path).unwrap_err(), "mode 0640");
        told(make_secret(&path).unwrap_err(), "chmod 600");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(read_secret(&path).unwrap().as_deref(), Some("abc"));
    }
}
