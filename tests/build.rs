//! Builds the guests of the end-to-end tests, and the shop's components, for
//! `wasm32-wasip2`, and writes the constants that lead to them.
//!
//! `cargo test --workspace` is then one command with no step before it. Nothing
//! is fetched that `Cargo.lock` does not name, and nothing is built that has
//! not changed. The inner cargo has its own target directory: the outer one
//! holds the lock of its own while this runs.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

fn main() {
    let root = root();
    let out = PathBuf::from(variable("OUT_DIR"));
    watch(&root);
    add_target();

    let guests = guests(&root);
    let components = components(&root);
    let built = target_dir(&out).join("guests");
    build(&root, &built, &components);

    let release = built.join(TARGET).join("release");
    let mut files = BTreeMap::new();
    for guest in &guests {
        files.insert(guest.clone(), keep(&release.join("examples"), guest, &out));
    }
    let mut shop = BTreeMap::new();
    for component in &components {
        shop.insert(component.clone(), keep(&release, component, &out));
    }
    write_constants(&out.join("guests.rs"), &files);
    write_constants(&out.join("components.rs"), &shop);
    write_path_macro(&out);
}

/// The workspace's directory.
fn root() -> PathBuf {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("this package is in tests/ of the workspace")
        .to_owned()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

/// Has cargo run this again when something that goes into a guest changes. A
/// path that does not exist would have it run each time.
fn watch(root: &Path) {
    for path in [
        "Cargo.toml",
        "Cargo.lock",
        "components",
        "sdk",
        "tests/build.rs",
        "tests/guests",
        "wit",
    ] {
        let path = root.join(path);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// Installs the target's standard library, when it is missing.
fn add_target() {
    let rustc = variable("RUSTC");
    let found = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let installed =
        found.is_ok_and(|found| Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_dir());
    if installed {
        return;
    }
    println!("cargo::warning=adding the target {TARGET} by `rustup target add {TARGET}`");
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status();
    assert!(
        added.as_ref().is_ok_and(|status| status.success()),
        "guests are built for {TARGET}, which {rustc} does not have, and `rustup target add {TARGET}` \
         did not work ({added:?}): install the target, then try again"
    );
}

/// The guests, by their file names: one example each.
fn guests(root: &Path) -> Vec<String> {
    let directory = root.join("tests/guests/examples");
    let mut guests: Vec<_> = entries(&directory)
        .into_iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    guests.sort();
    guests
}

/// The shop's components that are there, by their package names.
fn components(root: &Path) -> Vec<String> {
    let directory = root.join("components");
    if !directory.is_dir() {
        return Vec::new();
    }
    let mut components: Vec<_> = entries(&directory)
        .into_iter()
        .filter(|path| is_component(path))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    components.sort();
    components
}

/// A library of the shop that is no component has no `cdylib`.
fn is_component(package: &Path) -> bool {
    fs::read_to_string(package.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("cdylib"))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let read =
        fs::read_dir(directory).unwrap_or_else(|fault| panic!("{}: {fault}", directory.display()));
    read.map(|entry| entry.expect("a directory can be listed to its end").path())
        .collect()
}

/// The outer cargo's target directory: `OUT_DIR` is
/// `<target>[/<triple>]/<profile>/build/<package>/out`.
fn target_dir(out: &Path) -> PathBuf {
    let target = out
        .ancestors()
        .nth(4)
        .expect("OUT_DIR lies four levels below the target directory");
    let cross = target
        .file_name()
        .is_some_and(|name| name == variable("TARGET").as_str());
    let target = if cross {
        target
            .parent()
            .expect("a triple's directory is in the target directory")
    } else {
        target
    };
    target.to_owned()
}

/// One cargo for all of them. What the outer one set for itself (flags, a
/// lint driver around rustc) is not meant for guests.
fn build(root: &Path, built: &Path, components: &[String]) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(root)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER")
        .args(["build", "--release", "--target", TARGET, "--target-dir"])
        .arg(built)
        .args([
            "--lib",
            "--examples",
            "--package",
            "stoa-guests",
            "--features",
            "stoa-guests/guests",
        ]);
    for component in components {
        cargo.args(["--package", component]);
    }
    let status = cargo
        .status()
        .unwrap_or_else(|fault| panic!("{cargo:?}: {fault}"));
    assert!(
        status.success(),
        "the guests did not build ({status}); what cargo said of it stands above. {cargo:?}"
    );
}

/// Takes a built file to where no other checkout that shares the target
/// directory writes.
fn keep(built: &Path, name: &str, out: &Path) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    let (from, to) = (built.join(&file), out.join(&file));
    let bytes = fs::read(&from)
        .unwrap_or_else(|fault| panic!("cargo built no {}: {fault}", from.display()));
    fs::write(&to, bytes).unwrap_or_else(|fault| panic!("{}: {fault}", to.display()));
    to
}

fn write_constants(to: &Path, files: &BTreeMap<String, PathBuf>) {
    let mut text = String::new();
    for (name, path) in files {
        let constant = name.replace('-', "_").to_uppercase();
        writeln!(
            text,
            "/// `{name}`, as built.\npub const {constant}: &str = {:?};",
            path.display().to_string()
        )
        .expect("a String takes all that is written");
    }
    fs::write(to, text).unwrap_or_else(|fault| panic!("{}: {fault}", to.display()));
}

/// `include!` in another crate wants a literal: a macro that expands to one.
fn write_path_macro(out: &Path) {
    let guests = out.join("guests.rs").display().to_string();
    let text = format!(
        "/// Path of the file that [`guests`] is made of, as a literal.\n\
         #[macro_export]\nmacro_rules! guests_file {{\n    () => {{\n        {guests:?}\n    }};\n}}\n"
    );
    let to = out.join("guests_file.rs");
    fs::write(&to, text).unwrap_or_else(|fault| panic!("{}: {fault}", to.display()));
}
