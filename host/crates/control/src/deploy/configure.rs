//! Live configuration: what an operator sets for a service, over what its
//! manifest says.
//!
//! A change is checked against the schemas of all live revisions, written down,
//! and then seen by all of them at once. A deployment keeps it; a new revision
//! whose schema it breaks is refused. A rollback of the service is never refused
//! for it: the way back stays open, and the log says what does not fit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::effects::Effects;
use super::record::{Changes, ConfigRecord, RevisionRecord};
use super::state::{Deployed, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::{ConfigDetail, ConfigSource, ConfigValue, ConfigVersion, Fault};
use stoa_call::conditions::Conditions;
use stoa_engine::capabilities::config::{Values, merged};
use stoa_service::config_schema::{ConfigSchema, names};
use stoa_settings::check::config as check;
use stoa_settings::config::faults::meant;

impl Deployments {
    /// What a service reads now, and from whom.
    ///
    /// # Errors
    ///
    /// When the service is not there.
    pub fn config(&self, service: &str) -> Result<ConfigDetail, ChangeError> {
        let state = self.state.load();
        Ok(self.find(&state, service)?.config_detail())
    }

    /// The operator's changes that are remembered, newest first.
    ///
    /// # Errors
    ///
    /// When the service is not there.
    pub fn config_history(&self, service: &str) -> Result<Vec<ConfigVersion>, ChangeError> {
        let state = self.state.load();
        let history = &self.find(&state, service)?.record.config.history;
        let shown = history.iter().rev().map(|entry| ConfigVersion {
            version: entry.version,
            at: entry.at.clone(),
            changes: entry.changes.clone(),
            rollback_to: entry.back_to,
        });
        Ok(shown.collect())
    }

    /// Sets and unsets values, all or none.
    ///
    /// # Errors
    ///
    /// When the service is not there, the version is another, a value does not fit
    /// the service's schema, or the disk fails. Nothing has changed then.
    pub async fn change_config(
        self: &Arc<Self>,
        service: &str,
        changes: &Changes,
        conditions: &Conditions,
    ) -> Result<ConfigDetail, ChangeError> {
        let change = |deployed: &Deployed, config: &mut ConfigRecord| {
            let unset = changes.iter().filter(|(_, value)| value.is_none());
            let strange = unset.filter_map(|(key, _)| unknown_key(service, deployed, key));
            let strange: Vec<_> = strange.collect();
            if !strange.is_empty() {
                return Err(ChangeError::NoKey(strange));
            }
            config.change(changes, now());
            Ok(())
        };
        self.reconfigure(service, conditions, change).await
    }

    /// One value that a service reads, and the version that it is of.
    ///
    /// # Errors
    ///
    /// When the service is not there, or has no such value.
    pub fn config_value(
        &self,
        service: &str,
        key: &str,
    ) -> Result<(ConfigValue, u64), ChangeError> {
        let state = self.state.load();
        let deployed = self.find(&state, service)?;
        let mut detail = deployed.config_detail();
        match detail.values.remove(key) {
            Some(value) => Ok((value, detail.version)),
            None => Err(ChangeError::NoKey(vec![no_key(service, deployed, key)])),
        }
    }

    /// Goes back to an old version, as a new one; `None` is the one before.
    ///
    /// # Errors
    ///
    /// As for [`Deployments::change_config`], and when the version is not there.
    pub async fn rollback_config(
        self: &Arc<Self>,
        service: &str,
        to: Option<u64>,
        conditions: &Conditions,
    ) -> Result<ConfigDetail, ChangeError> {
        let change = |_: &Deployed, config: &mut ConfigRecord| {
            let found = to
                .or(config.version.checked_sub(1))
                .and_then(|to| Some((to, config.at(to)?)));
            let Some((to, overrides)) = found else {
                return Err(no_version(service, config, to));
            };
            config.go_back(to, overrides, now());
            Ok(())
        };
        self.reconfigure(service, conditions, change).await
    }

    async fn reconfigure(
        self: &Arc<Self>,
        service: &str,
        conditions: &Conditions,
        change: impl FnOnce(&Deployed, &mut ConfigRecord) -> Result<(), ChangeError>,
    ) -> Result<ConfigDetail, ChangeError> {
        let made = self.change(|state| {
            self.find(state, service)?;
            configure(state, service, conditions, change)
        });
        let made = made.await?;
        let version = |state: &State| state.services[service].record.config.version;
        let deployed = &made.now.services[service];
        if version(&made.before) != version(&made.now) {
            log_change(service, deployed);
        }
        Ok(deployed.config_detail())
    }
}

/// The configuration of a service that is there, as `change` leaves it.
pub(super) fn configure(
    state: &State,
    service: &str,
    conditions: &Conditions,
    change: impl FnOnce(&Deployed, &mut ConfigRecord) -> Result<(), ChangeError>,
) -> Result<(State, Effects), ChangeError> {
    let mut next = state.clone();
    let deployed = next.entry(service);
    let before = deployed.record.config.version;
    if !conditions.allow_change(Some(before)) {
        return Err(ChangeError::Stale {
            what: format!("the configuration of {service}"),
            found: before,
        });
    }
    let mut config = ConfigRecord::clone(&deployed.record.config);
    change(deployed, &mut config)?;
    let faults = change_faults(service, deployed, &config);
    if !faults.is_empty() {
        return Err(ChangeError::Invalid(faults));
    }
    if config.version == before {
        return Effects::of(state, state.clone());
    }
    deployed.record.config = Arc::new(config);
    Effects::of(state, next)
}

/// What keeps a new revision from being deployed with its configuration.
pub(super) fn revision_faults(
    service: &str,
    revision: &RevisionRecord,
    overrides: &Values,
) -> Vec<Fault> {
    let schema = match ConfigSchema::of(&revision.settings) {
        Ok(Some(schema)) => schema,
        Ok(None) => return Vec::new(),
        Err(reason) => {
            return vec![fault(
                service,
                "config_schema",
                format!("{service}: {reason}"),
            )];
        }
    };
    let own = &revision.settings.config;
    let mut faults: Vec<_> = schema
        .faults(own)
        .into_iter()
        .map(|reason| {
            let message = format!("[service.{service}.config] does not fit its schema: {reason}");
            fault(service, "config", message)
        })
        .collect();
    if faults.is_empty() && !overrides.is_empty() {
        let all = merged(own, overrides);
        faults.extend(schema.faults(&all).into_iter().map(|reason| {
            let message = format!(
                "what an operator set for {service} does not fit the schema of its new revision {}: {reason}; change \
                 it with `stoa config {service} set` or `unset`, or deploy a schema that takes it",
                revision.number
            );
            fault(service, "config_override", message)
        }));
    }
    faults
}

/// What of a revision's configuration does not fit its schema any more.
pub(super) fn misfits(revision: &RevisionRecord, overrides: &Values) -> Vec<String> {
    match ConfigSchema::of(&revision.settings) {
        Ok(Some(schema)) => schema.faults(&merged(&revision.settings.config, overrides)),
        _ => Vec::new(),
    }
}

/// What is wrong with the operator's values, for any live revision.
fn change_faults(service: &str, deployed: &Deployed, config: &ConfigRecord) -> Vec<Fault> {
    let mut faults: Vec<_> = config
        .overrides
        .keys()
        .filter_map(|key| check::key(key).err())
        .map(|reason| fault(service, "config_key", reason))
        .collect();
    if let Err(reason) = check::size(&config.overrides) {
        let message = format!("configuration of {service}: {reason}");
        faults.push(fault(service, "config_size", message));
    }
    for live in &deployed.record.live {
        let Some(revision) = deployed.record.revision(live.revision) else {
            continue;
        };
        let misfits = misfits(revision, &config.overrides).into_iter();
        faults.extend(misfits.map(|reason| {
            let message = format!(
                "{service} revision {} does not take this configuration: {reason}",
                live.revision
            );
            fault(service, "config", message)
        }));
    }
    faults
}

fn no_version(service: &str, config: &ConfigRecord, version: Option<u64>) -> ChangeError {
    let known: Vec<_> = config
        .history
        .iter()
        .map(|entry| entry.version.to_string())
        .collect();
    let wanted = match version {
        Some(version) => format!("no version {version}"),
        None => "no version before this one".to_owned(),
    };
    ChangeError::NoVersion(format!(
        "the configuration of {service} has {wanted}; it can go back to 0 (the manifest's values) and {}",
        if known.is_empty() {
            "no other".to_owned()
        } else {
            known.join(", ")
        }
    ))
}

/// Keys only: what a value holds is nobody's business in a log.
fn log_change(service: &str, deployed: &Deployed) {
    let config = &deployed.record.config;
    let keys = config.history.last().map(|entry| {
        let keys: Vec<_> = entry.changes.keys().map(String::as_str).collect();
        keys.join(", ")
    });
    let live = deployed.record.live.iter();
    let live: Vec<_> = live.map(|live| live.revision.to_string()).collect();
    tracing::info!(
        service.name = service,
        service.version = live.first(),
        version = config.version,
        keys,
        "configuration changed: version {} is what revision {} reads",
        config.version,
        live.join(" and ")
    );
}

/// What is wrong with unsetting a key: it is set by nobody, and no schema knows it.
fn unknown_key(service: &str, deployed: &Deployed, key: &str) -> Option<Fault> {
    let known = deployed.config_keys();
    (!known.contains(key)).then(|| no_key(service, deployed, key))
}

fn no_key(service: &str, deployed: &Deployed, key: &str) -> Fault {
    let known = deployed.config_keys();
    let known = known.iter().map(String::as_str);
    let hint = meant(
        key,
        known,
        &format!("`stoa config {service}` lists what it has"),
    );
    let message = format!("the configuration of {service} has no value for {key:?}{hint}");
    fault(service, "no_key", message)
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

// === impl Deployed ===

impl Deployed {
    /// The keys that are set, by whomever, and those that a live revision's schema names.
    fn config_keys(&self) -> BTreeSet<String> {
        let live = self.record.live.iter();
        let live = live.filter_map(|live| self.record.revision(live.revision));
        let mut keys: BTreeSet<_> = self.record.config.overrides.keys().cloned().collect();
        for RevisionRecord { settings, .. } in live {
            keys.extend(settings.config.keys().cloned());
            keys.extend(settings.config_schema.iter().flat_map(names));
        }
        keys
    }

    pub(super) fn config_detail(&self) -> ConfigDetail {
        let config = &self.record.config;
        let manifest = self
            .record
            .live
            .first()
            .and_then(|live| self.record.revision(live.revision))
            .map(|revision| revision.settings.config.clone())
            .unwrap_or_default();
        let values = merged(&manifest, &config.overrides).into_iter();
        let values = values.map(|(key, value)| {
            let set = config.overrides.contains_key(&key);
            let shown = ConfigValue {
                value,
                source: if set {
                    ConfigSource::Operator
                } else {
                    ConfigSource::Manifest
                },
                manifest: manifest.get(&key).filter(|_| set).cloned(),
            };
            (key, shown)
        });
        ConfigDetail {
            version: config.version,
            values: values.collect(),
        }
    }
}
