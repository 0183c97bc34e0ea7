//! `stoa.toml`: the services of an application, and what each is deployed with.
//!
//! A manifest is read to its end, so that all its faults are reported together,
//! each with its line. What the manifest can't know alone (whether a function is
//! there, whether routes of two services conflict) the host checks on deploy.

mod kept;
mod lines;
mod policy;
mod resilience;
pub mod route;
mod schema;
mod sections;
mod upstream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::document::{Document, Key, Table, Value};
use crate::config::faults::Faults;
use crate::upstream::UpstreamSettings;
use crate::{Settings, service_name};

/// The name of a manifest's file.
pub const FILE: &str = "stoa.toml";

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
            manifest.section(&mut document, key, value);
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

    fn section<'t>(&mut self, document: &mut Document<'t>, key: &Key<'t>, value: &Value<'t>) {
        match key.get_ref().as_ref() {
            "app" => {
                if let Some(table) = document.table(key, value) {
                    self.app(document, table);
                }
            }
            "service" => {
                for (name, value) in document.table(key, value).into_iter().flatten() {
                    self.service(document, name, value);
                }
            }
            "upstream" => {
                for (name, value) in document.table(key, value).into_iter().flatten() {
                    self.upstream(document, name, value);
                }
            }
            _ => document.unknown(key, "", &["app", "service", "upstream"]),
        }
    }

    fn app<'t>(&mut self, document: &mut Document<'t>, table: &Table<'t>) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => self.app = document.string(key, value),
                _ => document.unknown(key, "app", &["name"]),
            }
        }
    }

    fn service<'t>(&mut self, document: &mut Document<'t>, name: &Key<'t>, value: &Value<'t>) {
        if let Err(fault) = service_name(name.get_ref()) {
            document.fault(name.span(), fault);
        }
        let Some(table) = document.table(name, value) else {
            return;
        };
        let service = sections::service(document, name, table, &self.folder);
        lines::tell(document, name, table, service.settings.faults());
        self.services.insert(name.get_ref().to_string(), service);
    }

    fn upstream<'t>(&mut self, document: &mut Document<'t>, name: &Key<'t>, value: &Value<'t>) {
        if let Err(fault) = service_name(name.get_ref()) {
            document.fault(name.span(), fault);
        }
        if self.services.contains_key(name.get_ref().as_ref()) {
            let fault = format!(
                "{} is a service and an upstream: rename one",
                name.get_ref()
            );
            document.fault(name.span(), fault);
        }
        if let Some(table) = document.table(name, value) {
            let upstream = upstream::upstream(document, name, table);
            lines::tell(document, name, table, upstream.faults());
            self.upstreams.insert(name.get_ref().to_string(), upstream);
        }
    }
}

#[cfg(test)]
mod tests;
