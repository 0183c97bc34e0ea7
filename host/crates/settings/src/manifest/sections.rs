//! The sections of one service: `[service.NAME]` and what lies below it.

use std::path::{Component, Path, PathBuf};

use crate::check::route::Owner;
use crate::config::document::{Document, Key, Table, Value, scalar};
use crate::config::values::{duration, number, size, word};
use crate::{Class, Grants, Limits, Pool, Settings};

use super::{ServiceManifest, policy, resilience, route, schema};

const SERVICE: &[&str] = &[
    "component",
    "build",
    "watch",
    "routes",
    "pool",
    "limits",
    "breaker",
    "retry",
    "rollout",
    "config",
    "config_schema",
    "grants",
    "links",
    "rate",
    "cors",
    "class",
];
const POOL: &[&str] = &[
    "min",
    "max",
    "concurrency",
    "reuse",
    "queue",
    "queue_deadline",
    "queue_target",
];
const LIMITS: &[&str] = &["deadline", "memory", "body", "concurrency", "connections"];
const GRANTS: &[&str] = &["keyvalue", "http", "secrets"];

/// Reads the table of one service.
pub fn service<'t>(
    document: &mut Document<'t>,
    name: &Key<'t>,
    table: &Table<'t>,
    folder: &Path,
) -> ServiceManifest {
    let mut reader = Reader {
        document,
        place: format!("service.{}", name.get_ref()),
        folder,
    };
    let mut service = ServiceManifest::default();
    let mut found = false;
    for (key, value) in table {
        found |= key.get_ref() == "component";
        reader.entry(&mut service, key, value);
    }
    if !found {
        let message = format!(
            "[{}] has no `component`: give the file of one",
            reader.place
        );
        reader.document.fault(name.span(), message);
    }
    service
}

/// What the parts of one service's table share.
struct Reader<'d, 't> {
    document: &'d mut Document<'t>,
    place: String,
    folder: &'d Path,
}

impl<'t> Reader<'_, 't> {
    fn entry(&mut self, service: &mut ServiceManifest, key: &Key<'t>, value: &Value<'t>) {
        match key.get_ref().as_ref() {
            "component" => service.component = self.component(key, value).unwrap_or_default(),
            "build" => service.build = self.document.string(key, value),
            "watch" => {
                let paths = self.document.strings(key, value).unwrap_or_default();
                service.watch = paths
                    .iter()
                    .map(|path| resolve(self.folder, path))
                    .collect();
            }
            "rate" => service.settings.rate = policy::rate(self.document, key, value),
            "cors" => service.settings.cors = policy::cors(self.document, key, value),
            "class" => {
                let words = [("interactive", Class::Interactive), ("batch", Class::Batch)];
                let class = &mut service.settings.class;
                self.document.set(class, key, value, |v| word(v, &words));
            }
            "config_schema" => schema::read(self.document, service, key, value, |path| {
                resolve(self.folder, path)
            }),
            other => self.section(&mut service.settings, other, key, value),
        }
    }

    fn section(&mut self, settings: &mut Settings, name: &str, key: &Key<'t>, value: &Value<'t>) {
        let known = SERVICE.contains(&name);
        let Some(table) = known.then(|| self.document.table(key, value)).flatten() else {
            if !known {
                self.stranger(key);
            }
            return;
        };
        match name {
            "routes" => {
                let section = format!("{}.routes", self.place);
                settings.routes = route::routes(self.document, &section, table, Owner::Component);
            }
            "pool" => self.pool(&mut settings.pool, table),
            "limits" => self.limits(&mut settings.limits, table),
            "breaker" | "retry" | "rollout" => {
                let place = format!("{}.{name}", self.place);
                let document = &mut *self.document;
                match name {
                    "breaker" => {
                        resilience::breaker(document, &place, &mut settings.breaker, table);
                    }
                    "retry" => resilience::retry(document, &place, &mut settings.retry, table),
                    _ => resilience::rollout(document, &place, &mut settings.rollout, table),
                }
            }
            "grants" => self.grants(&mut settings.grants, table),
            "config" => {
                for (key, value) in table {
                    let text = scalar(value.get_ref());
                    if let Some(text) = self.document.check(key, value, text) {
                        settings.config.insert(key.get_ref().to_string(), text);
                    }
                }
            }
            _ => {
                for (key, value) in table {
                    if let Some(service) = self.document.string(key, value) {
                        settings.links.insert(key.get_ref().to_string(), service);
                    }
                }
            }
        }
    }

    fn component(&mut self, key: &Key<'t>, value: &Value<'t>) -> Option<PathBuf> {
        let path = self.document.string(key, value)?;
        if path.contains("://") {
            let fault = format!(
                "`component`: registries are not in this version of Stoa: expected a file, found {path:?}"
            );
            self.document.fault(value.span(), fault);
        } else if path.is_empty() {
            self.document
                .fault(value.span(), "`component`: expected a file, found nothing");
        }
        Some(resolve(self.folder, &path))
    }

    fn pool(&mut self, pool: &mut Pool, table: &Table<'t>) {
        for (key, value) in table {
            let document = &mut *self.document;
            match key.get_ref().as_ref() {
                "min" => document.set(&mut pool.min, key, value, |v| number(v, 0..=u32::MAX)),
                "max" => document.set(&mut pool.max, key, value, |v| number(v, 0..=u32::MAX)),
                "concurrency" => {
                    document.set(&mut pool.concurrency, key, value, |v| {
                        number(v, 0..=u32::MAX)
                    });
                }
                "reuse" => {
                    document.set(&mut pool.reuse, key, value, |v| {
                        number(v, 0..=u64::MAX).map(Some)
                    });
                }
                "queue" => document.set(&mut pool.queue, key, value, |v| number(v, 0..=u32::MAX)),
                "queue_deadline" => document.set(&mut pool.queue_deadline, key, value, duration),
                "queue_target" => document.set(&mut pool.queue_target, key, value, duration),
                _ => self.unknown(key, "pool", POOL),
            }
        }
    }

    fn limits(&mut self, limits: &mut Limits, table: &Table<'t>) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "deadline" => self
                    .document
                    .set(&mut limits.deadline, key, value, duration),
                "memory" => self.document.set(&mut limits.memory, key, value, size),
                "body" => self.document.set(&mut limits.body, key, value, size),
                "concurrency" => {
                    self.document
                        .set(&mut limits.concurrency, key, value, str::parse);
                }
                "connections" => {
                    let read = |text: &str| number(text, 0..=u32::MAX);
                    self.document.set(&mut limits.connections, key, value, read);
                }
                "cpu" => self.later(key, "limits.cpu"),
                _ => self.unknown(key, "limits", LIMITS),
            }
        }
    }

    fn grants(&mut self, grants: &mut Grants, table: &Table<'t>) {
        for (key, value) in table {
            let list = match key.get_ref().as_ref() {
                "keyvalue" => &mut grants.keyvalue,
                "http" => &mut grants.http,
                "secrets" => &mut grants.secrets,
                _ => {
                    self.unknown(key, "grants", GRANTS);
                    continue;
                }
            };
            *list = self.document.strings(key, value).unwrap_or_default();
        }
    }

    /// A key of a service that is none: of a later version, of a section below,
    /// or a slip.
    fn stranger(&mut self, key: &Key<'t>) {
        let name = key.get_ref().as_ref();
        if ["queues", "schedules"].contains(&name) {
            return self.later(key, name);
        }
        let homes = [("pool", POOL), ("limits", LIMITS), ("grants", GRANTS)];
        match homes.iter().find(|(_, keys)| keys.contains(&name)) {
            Some((section, _)) => {
                let fault = format!("`{name}` belongs in [{}.{section}]", self.place);
                self.document.fault(key.span(), fault);
            }
            None => self.document.unknown(key, &self.place, SERVICE),
        }
    }

    fn unknown(&mut self, key: &Key<'t>, section: &str, known: &[&str]) {
        self.document
            .unknown(key, &format!("{}.{section}", self.place), known);
    }

    fn later(&mut self, key: &Key<'t>, what: &str) {
        let fault = format!("`{what}` is not in this version of Stoa: leave it out");
        self.document.fault(key.span(), fault);
    }
}

/// A path of the manifest, from where the command runs. `..` is resolved by its
/// letters, so that a file can be named before a build has made its folders.
fn resolve(folder: &Path, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in folder.join(path).components() {
        let last = resolved.components().next_back();
        match (part, last) {
            (Component::ParentDir, Some(Component::Normal(_))) => {
                resolved.pop();
            }
            (Component::CurDir, _) => {}
            _ => resolved.push(part),
        }
    }
    resolved
}
