//! How large the pools of a service are.

use std::sync::Arc;

use super::effects::Effects;
use super::prepare::setting_faults;
use super::record::ScaleRecord;
use super::state::{Names, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::{PoolState, ScaleRequest};
use stoa_settings::Pool;

impl Deployments {
    /// Changes the size of a service's pools, at once and for later revisions too.
    ///
    /// # Errors
    ///
    /// When the service is not there, or the size makes no sense.
    pub async fn scale(
        self: &Arc<Self>,
        service: &str,
        request: &ScaleRequest,
    ) -> Result<PoolState, ChangeError> {
        let change = |state: &State| scale(state, service, request, &self.upstream_names());
        let made = self.change(change).await?;
        let deployed = &made.now.services[service];
        for (_, loaded) in deployed.live() {
            if let Err(error) = loaded.revision.pool.warm().await {
                let message = format!("{service} can't be scaled: {error}");
                let fault = fault(service, "unhealthy", message);
                return Err(ChangeError::Refused(vec![fault]));
            }
        }
        Ok(deployed.pool_state())
    }
}

/// The pools of a service, with the bounds that are asked for.
pub(super) fn scale(
    state: &State,
    service: &str,
    request: &ScaleRequest,
    upstreams: &Names,
) -> Result<(State, Effects), ChangeError> {
    let mut next = state.clone();
    let deployed = next.find_mut(service, upstreams)?;
    let (min, max) = deployed.bounds();
    let (min, max) = (request.min.unwrap_or(min), request.max.unwrap_or(max));
    let size = Pool {
        min,
        max,
        ..Pool::default()
    };
    let faults = setting_faults(service, size.size_faults());
    if !faults.is_empty() {
        return Err(ChangeError::Refused(faults));
    }
    deployed.record.scale = Some(ScaleRecord { min, max });
    let (next, mut effects) = Effects::of(state, next)?;
    // Also where it is the same: idle instances beyond the minimum go at once.
    effects.sizes.insert(service.to_owned());
    Ok((next, effects))
}
