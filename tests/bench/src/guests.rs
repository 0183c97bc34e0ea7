//! The components that are deployed, built by cargo unless they are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::report::say;

const TARGET: &str = "wasm32-wasip2";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests");

/// A component and its digest.
#[derive(Debug, Clone)]
pub struct Component {
    /// The binary.
    pub bytes: Vec<u8>,
    /// SHA-256, in hex.
    pub digest: String,
}

impl Component {
    /// From its binary.
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = hex::encode(Sha256::digest(&bytes));
        Self { bytes, digest }
    }

    /// The same code under a digest that nobody has seen: a custom section with
    /// random bytes is added.
    pub fn never_seen(&self) -> Self {
        const NAME: &[u8] = b"bench";
        let noise = fastrand::u128(..).to_le_bytes();
        let size = 1 + NAME.len() + noise.len();
        // Section 0, then sizes that fit LEB128's first seven bits.
        let head = [0, size as u8, NAME.len() as u8];
        Self::new([&self.bytes, &head[..], NAME, &noise[..]].concat())
    }
}

/// All components of the benchmark.
pub struct Guests {
    /// Exports `greeting`.
    pub hello: Component,
    /// Exports `wasi:http` 0.2.
    pub hello_p2: Component,
    /// Exports `wasi:http` 0.3; about 100 KB.
    pub hello_p3: Component,
    /// Exports `orders`.
    pub order: Component,
    /// Imports `orders`, exports `measure`.
    pub caller: Component,
    /// Exports `work`.
    pub burn: Component,
    /// Exports `events` and `counter`.
    pub listener: Component,
    /// Where they are.
    pub directory: PathBuf,
}

impl Guests {
    /// Reads the components, after building them where no directory is given.
    ///
    /// # Errors
    /// They can't be built or read.
    pub fn load(prebuilt: Option<&Path>) -> Result<Self> {
        let directory = match prebuilt {
            Some(directory) => directory.to_owned(),
            None => build()?,
        };
        let read = |name: &str| {
            let path = directory.join(format!("bench_{name}.wasm"));
            fs::read(&path)
                .map(Component::new)
                .with_context(|| format!("reading {}", path.display()))
        };
        Ok(Self {
            hello: read("hello")?,
            hello_p2: read("hello_p2")?,
            hello_p3: read("hello_p3")?,
            order: read("order")?,
            caller: read("caller")?,
            burn: read("burn")?,
            listener: read("listener")?,
            directory: directory.clone(),
        })
    }
}

/// The target directory that this program was built into.
///
/// # Errors
/// It was moved out of one: what cargo builds is looked for there.
pub fn target_directory() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    let target = program.parent().and_then(Path::parent);
    // Cargo marks its target directories so that backups leave them out.
    match target.filter(|target| target.join("CACHEDIR.TAG").exists()) {
        Some(target) => Ok(target.to_owned()),
        None => bail!(
            "expected this program in cargo's target/release, found it at {}; run it there, \
             or give --stoa and --guests",
            program.display()
        ),
    }
}

fn build() -> Result<PathBuf> {
    add_target()?;
    say("building the benchmark's components");
    let target = target_directory()?.join("guests");
    let status = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--quiet",
            "--locked",
            "--target",
            TARGET,
            "--manifest-path",
        ])
        .arg(Path::new(SOURCES).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .context("running cargo")?;
    if !status.success() {
        bail!("expected the components in {SOURCES} to build; see the messages above");
    }
    Ok(target.join(TARGET).join("release"))
}

/// Rust without rustup brings its own targets, or has none to add.
fn add_target() -> Result<()> {
    let Ok(listed) = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .output()
    else {
        return Ok(());
    };
    if String::from_utf8_lossy(&listed.stdout)
        .lines()
        .any(|line| line == TARGET)
    {
        return Ok(());
    }
    say(&format!("adding the target {TARGET} by rustup"));
    let status = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status()
        .context("running rustup")?;
    if !status.success() {
        bail!("expected `rustup target add {TARGET}` to succeed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_never_seen_component_is_the_old_one_and_a_custom_section() {
        let old = Component::new(b"\0asm\x0d\0\x01\0".to_vec());
        let (one, two) = (old.never_seen(), old.never_seen());
        assert!(one.bytes.starts_with(&old.bytes));
        assert_ne!(one.digest, old.digest);
        assert_ne!(one.digest, two.digest);
        let section = &one.bytes[old.bytes.len()..];
        assert_eq!(section[0], 0);
        assert_eq!(usize::from(section[1]), section.len() - 2);
        assert_eq!(&section[3..3 + usize::from(section[2])], b"bench");
    }
}
