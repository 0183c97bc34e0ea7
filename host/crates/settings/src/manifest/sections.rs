//! The sections of one service: `[service.NAME]` and what lies below it.

use std::path::{Component, Path, PathBuf};

use super::keys::Keys;
use super::resilience::{BREAKER, RETRY, ROLLOUT};
use super::{ServiceManifest, policy, queue, route, schedule, schema};
use crate::check::route::Owner;
use crate::config::document::{Entry, scalar};
use crate::config::values::{count, duration, number, size, word};
use crate::{Class, Grants, Limits, Pool};

const SERVICE: Keys<ServiceManifest> = Keys(&[
    ("component", component),
    ("build", |it, e| it.build = e.string()),
    ("watch", |it, e| {
        let paths = e.strings().unwrap_or_default();
        it.watch = paths.into_iter().map(PathBuf::from).collect();
    }),
    ("routes", |it, e| {
        it.settings.routes = route::routes(e, Owner::Component);
    }),
    ("pool", |it, e| e.section(&mut it.settings.pool, &POOL)),
    ("limits", |it, e| limits(&mut it.settings.limits, e)),
    ("breaker", |it, e| {
        e.section(&mut it.settings.breaker, &BREAKER);
    }),
    ("retry", |it, e| e.section(&mut it.settings.retry, &RETRY)),
    ("rollout", |it, e| {
        e.section(&mut it.settings.rollout, &ROLLOUT);
    }),
    ("config", |it, e| {
        e.each("config", |e| {
            if let Some(text) = e.check(scalar(e.value.get_ref())) {
                it.settings.config.insert(e.name().to_owned(), text);
            }
        });
    }),
    ("config_schema", schema::read),
    ("grants", |it, e| {
        e.section(&mut it.settings.grants, &GRANTS);
    }),
    ("links", |it, e| {
        e.each("links", |e| {
            if let Some(service) = e.string() {
                it.settings.links.insert(e.name().to_owned(), service);
            }
        });
    }),
    ("queues", |it, e| {
        e.each("queues", |e| {
            if e.table().is_some() {
                let queue = queue::queue(e);
                it.settings.queues.insert(e.name().to_owned(), queue);
            }
        });
    }),
    ("schedules", |it, e| {
        it.settings.schedules = schedule::schedules(e);
    }),
    ("rate", |it, e| it.settings.rate = policy::rate(e)),
    ("cors", |it, e| it.settings.cors = policy::cors(e)),
    ("class", |it, e| {
        e.set(&mut it.settings.class, |v| word(v, &CLASS));
    }),
]);

const CLASS: [(&str, Class); 2] = [("interactive", Class::Interactive), ("batch", Class::Batch)];

const POOL: Keys<Pool> = Keys(&[
    ("min", |it, e| e.set(&mut it.min, count)),
    ("max", |it, e| e.set(&mut it.max, count)),
    ("concurrency", |it, e| e.set(&mut it.concurrency, count)),
    ("reuse", |it, e| {
        e.set(&mut it.reuse, |v| number(v, 0..=u64::MAX).map(Some));
    }),
    ("queue", |it, e| e.set(&mut it.queue, count)),
    ("queue_deadline", |it, e| {
        e.set(&mut it.queue_deadline, duration);
    }),
    ("queue_target", |it, e| {
        e.set(&mut it.queue_target, duration);
    }),
]);

const LIMITS: Keys<Limits> = Keys(&[
    ("deadline", |it, e| e.set(&mut it.deadline, duration)),
    ("memory", |it, e| e.set(&mut it.memory, size)),
    ("body", |it, e| e.set(&mut it.body, size)),
    ("concurrency", |it, e| {
        e.set(&mut it.concurrency, str::parse);
    }),
    ("connections", |it, e| e.set(&mut it.connections, count)),
    ("blobs", |it, e| e.set(&mut it.blobs, size)),
]);

const GRANTS: Keys<Grants> = Keys(&[
    ("keyvalue", |it, e| {
        it.keyvalue = e.strings().unwrap_or_default();
    }),
    ("blobs", |it, e| it.blobs = e.strings().unwrap_or_default()),
    ("http", |it, e| it.http = e.strings().unwrap_or_default()),
    ("secrets", |it, e| {
        it.secrets = e.strings().unwrap_or_default();
    }),
]);

/// Reads the table of one service; its paths start in `folder`.
pub fn service(entry: &mut Entry<'_, '_>, folder: &Path) -> ServiceManifest {
    let mut service = ServiceManifest::default();
    let section = entry.below();
    entry.each(&section, |entry| match SERVICE.has(entry.name()) {
        true => entry.read(&mut service, &SERVICE),
        false => stranger(entry),
    });
    if !entry.has("component") {
        entry.fault(format!(
            "[{section}] has no `component`: give the file of one"
        ));
    }
    let schema = service.config_schema.iter_mut();
    let paths = schema.chain(&mut service.watch);
    for path in paths.chain([&mut service.component]) {
        *path = resolve(folder, path);
    }
    service
}

fn component(service: &mut ServiceManifest, entry: &mut Entry<'_, '_>) {
    let Some(path) = entry.string() else {
        return;
    };
    let fault = match &*path {
        "" => Some("expected a file, found nothing".to_owned()),
        address if address.contains("://") => Some(format!(
            "registries are not in this version of Stoa: expected a file, found {path:?}"
        )),
        _ => None,
    };
    if let Some(fault) = fault {
        entry.check::<()>(Err(fault));
    }
    service.component = path.into();
}

fn limits(limits: &mut Limits, entry: &mut Entry<'_, '_>) {
    let section = entry.below();
    entry.each(&section, |entry| match entry.name() {
        "cpu" => later(entry, "limits.cpu"),
        _ => entry.read(limits, &LIMITS),
    });
}

/// A key of a service that is none: of a later version, of a section below,
/// or a slip.
fn stranger(entry: &mut Entry<'_, '_>) {
    let name = entry.name().to_owned();
    let homes = [
        ("pool", POOL.has(&name)),
        ("limits", LIMITS.has(&name)),
        ("grants", GRANTS.has(&name)),
    ];
    match homes.iter().find(|(_, home)| *home) {
        Some((home, _)) => {
            entry.fault(format!("`{name}` belongs in [{}.{home}]", entry.section));
        }
        None => entry.unknown(&SERVICE),
    }
}

fn later(entry: &mut Entry<'_, '_>, what: &str) {
    entry.fault(format!(
        "`{what}` is not in this version of Stoa: leave it out"
    ));
}

/// A path of the manifest, from where the command runs. `..` is resolved by its
/// letters, so that a file can be named before a build has made its folders.
fn resolve(folder: &Path, path: &Path) -> PathBuf {
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
