//! After a restart: what was live is live again, from compiled code.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::prepare::setting_faults;
use super::record::{KIND, ServiceRecord};
use super::state::Services;
use super::{ChangeError, Deployed, Deployments, table};
use stoa_engine::capabilities::config::Overrides;
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
        self.restore_breakers().await?;
        self.restore_drains().await?;
        let mut services = self.services.turn().await;
        let mut restored = Services::new();
        for (name, record) in self.parts.records.list(KIND).await? {
            match serde_json::from_value::<ServiceRecord>(record) {
                Ok(record) => {
                    restored.insert(name.clone(), self.restore_service(&name, record).await);
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
        self.sweep(&restored);
        self.restore_upstreams().await?;
        let table = table(&restored, &self.declared());
        match table {
            Ok(table) => self.publish(
                &restored,
                &restored.keys().cloned().collect::<Vec<_>>(),
                table,
            ),
            Err(faults) => tracing::error!(
                ?faults,
                "the routes of the restored services conflict; none is served"
            ),
        }
        self.announce_all(&restored, restored.keys());
        services.commit(restored);
        Ok(())
    }

    async fn restore_service(self: &Arc<Self>, name: &str, mut record: ServiceRecord) -> Deployed {
        record.restart_rollout();
        let mut loaded = BTreeMap::new();
        let overrides = Overrides::new(record.config.overrides.clone());
        let warm = record
            .live
            .iter()
            .map(|live| live.revision)
            .chain(record.previous);
        for number in warm {
            let Some(revision) = record.revision(number) else {
                continue;
            };
            tell_faults(name, revision.settings.faults());
            let revived = self.revive(name, revision.clone(), record.scale, overrides.clone());
            match revived.await {
                Ok(ready) => {
                    if record.weight(number) == 0 {
                        ready.revision.pool.drain();
                    }
                    loaded.insert(number, ready);
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
        }
        Deployed {
            record,
            loaded,
            overrides,
        }
    }
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
