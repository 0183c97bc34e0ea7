//! `stoa.toml`: the services of an application, and what each is deployed with.
//!
//! A manifest is read to its end, so that all its faults are reported together,
//! each with its line. What the manifest can't know alone (whether a function is
//! there, whether routes of two services conflict) the host checks on deploy.

mod kept;
mod keys;
mod lines;
mod policy;
mod queue;
mod resilience;
pub mod route;
mod schedule;
mod schema;
mod sections;
mod upstream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::keys::Keys;
use crate::config::document::{Document, Entry, Key};
use crate::config::faults::Faults;
use crate::upstream::UpstreamSettings;
use crate::{Settings, service_name};

/// The name of a manifest's file.
pub const FILE: &str = "stoa.toml";

const MANIFEST: Keys<Manifest> = Keys(&[
    ("app", |it, e| e.inline(it, &APP)),
    ("service", |it, e| e.each("service", |e| it.service(e))),
    ("upstream", |it, e| e.each("upstream", |e| it.upstream(e))),
]);

const APP: Keys<Manifest> = Keys(&[("name", |it, e| it.app = e.string())]);

/// The services of an application.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The application's name.
    pub app: Option<String>,
    /// Its services by name.
    pub services: BTreeMap<String, ServiceManifest>,
    /// HTTP services that are no components, by name.
    pub upstreams: BTreeMap<String, UpstreamSettings>,
    /// The manifest's file.
    pub file: PathBuf,
    /// The folder of the file: builds run here, and paths start here.
    pub folder: PathBuf,
}

/// A service: where its component comes from, and what it is deployed with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceManifest {
    /// The component's file.
    pub component: PathBuf,
    /// The shell command that makes the file.
    pub build: Option<String>,
    /// Files and folders that the component is made from.
    pub watch: Vec<PathBuf>,
    /// The file of its configuration's schema; read into `settings` by
    /// [`Manifest::load`].
    pub config_schema: Option<PathBuf>,
    /// What the service is deployed with.
    pub settings: Settings,
}

impl Manifest {
    /// Reads a manifest: a file, or the `stoa.toml` of a folder.
    ///
    /// # Errors
    /// Every fault that was found.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = if path.is_dir() {
            path.join(FILE)
        } else {
            path.to_owned()
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let mut manifest = Self::parse(&file, &text)?;
                schema::load(manifest.services.iter_mut()).or(manifest)
            }
            Err(fault) => {
                let mut faults = Faults::default();
                faults.add(
                    file.display().to_string(),
                    format!("can't be read: {fault}; give the folder of a {FILE}"),
                );
                Err(faults)
            }
        }
    }

    /// Reads the text of a manifest that stands in `file`; touches no disk.
    ///
    /// # Errors
    /// Every fault that was found.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Faults> {
        let folder = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut manifest = Self {
            app: None,
            services: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            file: file.to_owned(),
            folder,
        };
        let (mut document, table) = Document::parse(file.display().to_string(), text);
        for (key, value) in &table {
            Entry::at_top(&mut document, key, value).read(&mut manifest, &MANIFEST);
        }
        let sections = ["service", "upstream"];
        let named = |key: &Key<'_>| sections.contains(&key.get_ref().as_ref());
        if manifest.services.is_empty() && manifest.upstreams.is_empty() && !table.keys().any(named)
        {
            document.fault(0..0, "expected at least one [service.NAME], found none");
        }
        let mut faults = Faults::default();
        faults.append(document.into_faults());
        faults.or(manifest)
    }

    fn service(&mut self, entry: &mut Entry<'_, '_>) {
        if let Err(fault) = service_name(entry.name()) {
            entry.fault(fault);
        }
        if entry.table().is_some() {
            let service = sections::service(entry, &self.folder);
            lines::tell(entry, service.settings.faults());
            self.services.insert(entry.name().to_owned(), service);
        }
    }

    fn upstream(&mut self, entry: &mut Entry<'_, '_>) {
        let name = entry.name().to_owned();
        if let Err(fault) = service_name(&name) {
            entry.fault(fault);
        }
        if self.services.contains_key(&name) {
            entry.fault(format!("{name} is a service and an upstream: rename one"));
        }
        if entry.table().is_some() {
            let upstream = upstream::upstream(entry);
            lines::tell(entry, upstream.faults());
            self.upstreams.insert(name, upstream);
        }
    }
}

#[cfg(test)]
mod tests;
