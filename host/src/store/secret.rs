//! A secret of the host in a file of its own, for its owner's eyes.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Random bytes of a secret: beyond any search.
const BYTES: usize = 32;

/// The secret in a file; `None` when there is none yet.
///
/// # Errors
/// When there is a file that can't be read.
pub fn read_secret(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(secret) => Ok(Some(secret.trim().to_owned()).filter(|secret| !secret.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a new random secret, in hex, into a file with mode 0600. An empty file, as
/// a crash may leave it, is replaced.
///
/// # Errors
/// When it can't be written, or the system gives no random bytes.
pub fn make_secret(path: &Path) -> io::Result<String> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let secret = hex::encode(random);
    let draft = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        assert_eq!(read_secret(&path).unwrap(), None);
        fs::write(&path, "").unwrap();
        assert_eq!(read_secret(&path).unwrap(), None);
        let made = make_secret(&path).unwrap();
        assert_eq!(made.len(), 2 * BYTES);
        assert_eq!(read_secret(&path).unwrap(), Some(made));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
