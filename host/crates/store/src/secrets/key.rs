//! The file of the key: 64 hexadecimal digits, for its owner alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::SecretsError;
use super::seal::{KEY, Key, wipe};
use crate::secret::{make_secret, read_secret, replace_secret};

/// Where the key is.
pub(super) struct KeyFile(PathBuf);

/// A new key beside the old one, until the records are sealed with it.
pub(super) struct Next<'f> {
    file: &'f KeyFile,
    path: PathBuf,
    fate: Fate,
}

#[derive(PartialEq)]
enum Fate {
    Dropped,
    Taken,
}

impl KeyFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The key with this fingerprint; `None` asks for whichever there is, or none.
    ///
    /// # Errors
    /// When the key that is needed is not there, or the file can't be used.
    pub(super) fn find(&self, fingerprint: Option<&str>) -> Result<Option<Key>, SecretsError> {
        let found = read(&self.0)?;
        let Some(fingerprint) = fingerprint else {
            return Ok(found);
        };
        if let Some(key) = &found
            && key.fingerprint() == fingerprint
        {
            // A rotation that did not get to its end.
            remove(&self.next())?;
            return Ok(found);
        }
        // The records are sealed with the new key, and the host died before its
        // file took the old one's place.
        if let Some(key) = read(&self.next())?
            && key.fingerprint() == fingerprint
        {
            self.replace(&self.next())?;
            return Ok(Some(key));
        }
        let state = match found {
            Some(_) => "holds another key than the one that the secrets are sealed with",
            None => "is missing, but there are secrets that are sealed with its key",
        };
        Err(SecretsError::Key(format!(
            "{} {state}: put the right file back, or name it by the host's setting secrets.key_file",
            self.0.display()
        )))
    }

    /// The file's key; one is made when there is no file.
    ///
    /// # Errors
    /// When the file can't be used or written.
    pub(super) fn make(&self) -> Result<Key, SecretsError> {
        match read(&self.0)? {
            Some(key) => Ok(key),
            None => make(&self.0),
        }
    }

    /// A new key, in a file beside.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn make_next(&self) -> Result<(Next<'_>, Key), SecretsError> {
        let path = self.next();
        remove(&path)?;
        let key = make(&path)?;
        let next = Next {
            file: self,
            path,
            fate: Fate::Dropped,
        };
        Ok((next, key))
    }

    fn next(&self) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(".new");
        name.into()
    }

    fn replace(&self, by: &Path) -> Result<(), SecretsError> {
        replace_secret(by, &self.0).map_err(|fault| cannot(&self.0, "be replaced", &fault))
    }
}

// === impl Next ===

impl Next<'_> {
    /// Keeps the new key's file, also if it never takes over.
    pub(super) fn stay(mut self) -> Self {
        self.fate = Fate::Taken;
        self
    }

    /// Puts the new key in the place of the old one.
    ///
    /// # Errors
    /// When the file can't be renamed. The next start does it then.
    pub(super) fn take_over(self) -> Result<(), SecretsError> {
        self.file.replace(&self.path)
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        if self.fate == Fate::Dropped
            && let Err(fault) = remove(&self.path)
        {
            tracing::warn!("an unused key is left over: {fault}");
        }
    }
}

/// The key in a file, if the file is there.
fn read(path: &Path) -> Result<Option<Key>, SecretsError> {
    match read_secret(path) {
        Ok(None) => Ok(None),
        Ok(Some(digits)) => key(path, digits).map(Some),
        Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => {
            Err(SecretsError::Key(format!(
                "{} can't be used: {fault} (`stoa secret rotate-key` makes a new key; set the \
                 secrets anew, too)",
                path.display()
            )))
        }
        Err(fault) => Err(cannot(path, "be read", &fault)),
    }
}

/// The key in a file; one is made when there is no file.
fn make(path: &Path) -> Result<Key, SecretsError> {
    let made = make_secret(path).map_err(|fault| cannot(path, "be written", &fault))?;
    key(path, made)
}

fn key(path: &Path, digits: String) -> Result<Key, SecretsError> {
    let mut digits = digits.into_bytes();
    let mut bytes = [0; KEY];
    let decoded = hex::decode_to_slice(&digits, &mut bytes);
    wipe(&mut digits);
    let key = decoded.ok().and_then(|()| Key::new(&bytes));
    wipe(&mut bytes);
    key.ok_or_else(|| {
        SecretsError::Key(format!(
            "{} is no key: expected {} hexadecimal digits; put the right file back",
            path.display(),
            2 * KEY
        ))
    })
}

fn remove(path: &Path) -> Result<(), SecretsError> {
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
            Err(cannot(path, "be removed", &fault))
        }
        _ => Ok(()),
    }
}

fn cannot(path: &Path, what: &str, fault: &io::Error) -> SecretsError {
    SecretsError::Key(format!("{} can't {what}: {fault}", path.display()))
}
