//! After a restart: what was live is live again, from compiled code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::declared::{self, AllDeclared, UpstreamRecord};
use super::effects::Effects;
use super::prepare::setting_faults;
use super::record::{self, ServiceRecord};
use super::state::{Deployed, Loaded, Names, Services, State};
use super::{ChangeError, Deployments, fault};
use stoa_engine::capabilities::config::Overrides;
use stoa_mesh::{Forces, ScheduleName};
use stoa_settings::SettingFault;
use stoa_store::StoreError;

impl Deployments {
    /// Brings back the deployments of the data directory. A service that can't be
    /// brought back is reported and left out; the others serve.
    ///
    /// # Errors
    ///
    /// When the records can't be read.
    pub async fn restore(self: &Arc<Self>) -> Result<(), StoreError> {
        let restored = State {
            forces: self.read_forces().await?,
            drained: self.read_drained().await?,
            services: self.read_services().await?,
            upstreams: self.read_upstreams().await?,
            paused: self.read_paused().await?,
        };
        let kept = self.parts.schedules.services();
        let mut gone: Names = kept.into_iter().collect();
        gone.retain(|service| !restored.services.contains_key(service));
        // A record that can't be read is of a service that is there.
        if self.unread.load(Ordering::Relaxed) {
            gone.clear();
        }
        self.change(|state| {
            let (restored, mut effects) = restore(state, restored);
            effects.schedules.extend(gone);
            Ok::<_, StoreError>((restored, effects))
        })
        .await?;
        self.sweep_components().await;
        Ok(())
    }

    async fn read_forces(&self) -> Result<BTreeMap<String, Forces>, StoreError> {
        let all = self
            .parts
            .records
            .read_all::<Forces>(record::BREAKER)
            .await?;
        for (service, forces) in &all {
            tracing::warn!(
                service.name = service,
                "its breakers are held by an operator: {forces}"
            );
        }
        Ok(all.into_iter().collect())
    }

    async fn read_drained(&self) -> Result<Names, StoreError> {
        let all = self.parts.records.read_all::<bool>(record::DRAIN).await?;
        let drained = all.into_iter().filter(|(_, drained)| *drained);
        let drained: Names = drained.map(|(service, _)| service).collect();
        for service in &drained {
            tracing::warn!(service.name = service, "it is drained by an operator");
        }
        Ok(drained)
    }

    async fn read_paused(&self) -> Result<BTreeSet<ScheduleName>, StoreError> {
        let all = self.parts.records.list(record::PAUSED).await?;
        let names = all.iter().filter_map(|(key, _)| ScheduleName::parse(key));
        let paused: BTreeSet<_> = names.collect();
        for name in &paused {
            tracing::warn!(
                service.name = name.service,
                "the schedule of {} is paused by an operator",
                name.function
            );
        }
        Ok(paused)
    }

    async fn read_services(self: &Arc<Self>) -> Result<Services, StoreError> {
        let mut services = Services::new();
        for (name, record) in self.parts.records.list(record::KIND).await? {
            match serde_json::from_value::<ServiceRecord>(record) {
                Ok(record) => {
                    let deployed = self.restore_service(&name, record).await;
                    services.insert(name, Arc::new(deployed));
                }
                Err(error) => {
                    self.unread.store(true, Ordering::Relaxed);
                    tracing::error!(
                        service.name = name,
                        "its record can't be read; left out: {error}"
                    );
                }
            }
        }
        Ok(services)
    }

    async fn read_upstreams(&self) -> Result<AllDeclared, StoreError> {
        let mut upstreams = AllDeclared::new();
        for (name, record) in self.parts.records.list(declared::KIND).await? {
            let record = serde_json::from_value::<UpstreamRecord>(record);
            let declared = record
                .map_err(|error| vec![fault(&name, "record", error.to_string())])
                .and_then(|record| {
                    tell_faults(&name, record.settings.faults());
                    self.work_out(&name, record)
                });
            match declared {
                Ok(declared) => {
                    upstreams.insert(name, declared);
                }
                Err(faults) => {
                    tracing::error!(service.name = name, ?faults, "an upstream is not restored")
                }
            }
        }
        Ok(upstreams)
    }

    async fn restore_service(self: &Arc<Self>, name: &str, mut record: ServiceRecord) -> Deployed {
        record.restart_rollout();
        let live = record.live.iter().map(|live| live.revision);
        let kept: Vec<_> = live.chain(record.previous).collect();
        let mut deployed = Deployed {
            overrides: Arc::new(Overrides::new(record.config.overrides.clone())),
            record,
            loaded: BTreeMap::new(),
        };
        for number in kept {
            if let Some(ready) = self.restore_revision(name, &deployed, number).await {
                deployed.loaded.insert(number, ready);
            }
        }
        deployed
    }

    async fn restore_revision(
        self: &Arc<Self>,
        name: &str,
        deployed: &Deployed,
        number: u64,
    ) -> Option<Loaded> {
        let revision = deployed.record.revision(number)?;
        tell_faults(name, revision.settings.faults());
        match self.revive(name, deployed, revision).await {
            Ok(ready) => {
                if deployed.record.weight(number) == 0 {
                    ready.revision.pool.drain();
                }
                return Some(ready);
            }
            Err(ChangeError::Refused(faults)) => {
                for fault in faults {
                    tracing::error!(
                        service.name = name,
                        code = fault.code,
                        "not restored: {}",
                        fault.message
                    );
                }
            }
            Err(error) => tracing::error!(service.name = name, "not restored: {error}"),
        }
        None
    }
}

/// From nothing to what was kept, which need not be written down again.
fn restore(empty: &State, mut restored: State) -> (State, Effects) {
    let mut effects = Effects::between(empty, &mut restored);
    effects.records.clear();
    match restored.table() {
        Ok(table) => effects.table = Some(table),
        Err(faults) => tracing::error!(
            ?faults,
            "the routes of the restored services conflict; none is served"
        ),
    }
    (restored, effects)
}

/// Tells of settings that an older host took and this one would not: they are served as
/// well as they can be, since nobody asked for a change.
pub(super) fn tell_faults(service: &str, faults: Vec<SettingFault>) {
    for fault in setting_faults(service, faults) {
        tracing::warn!(
            service.name = service,
            "its settings are kept from an older host, and a deployment would refuse them now: {}",
            fault.message
        );
    }
}
