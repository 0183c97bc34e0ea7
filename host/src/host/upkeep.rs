//! What a host does by itself from time to time, until its drain begins.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stoa_control::deploy::Deployments;
use stoa_gateway::Gateway;
use stoa_http::shutdown::{Drain, Drainer};
use stoa_store::{self as store, Blobs};
use stoa_telemetry::Metrics;
use stoa_telemetry::metrics::BlobSample;

/// How often pools look at the peak of their use. Six such windows are looked
/// back on: a burst keeps its instances for a minute.
const POOL_WINDOW: Duration = Duration::from_secs(10);
/// How often answers, components and blobs are looked for that are kept no longer. They
/// are not served meanwhile: a minute's worth of them is little on a disk.
const SWEEP: Duration = Duration::from_secs(60);
/// How often rollouts are looked at: a bad revision is gone a second after it shows.
const ROLLOUT_LOOK: Duration = Duration::from_secs(1);

/// What is looked after.
#[derive(Clone)]
pub(super) struct Upkeep {
    pub(super) gateway: Arc<Gateway>,
    pub(super) deployments: Arc<Deployments>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) blobs: Arc<dyn Blobs>,
    /// The data directory.
    pub(super) data: PathBuf,
}

impl Upkeep {
    /// Begins all of it, in the background.
    pub(super) fn begin(self, drainer: &Drainer) {
        let blobs = self.blobs.clone();
        self.metrics.register_blobs(move || kept(&*blobs));
        tokio::spawn(self.clone().tend_gateway(drainer.drain()));
        tokio::spawn(self.clone().tend_pools(drainer.drain()));
        tokio::spawn(self.clone().tend_rollouts(drainer.drain()));
        tokio::spawn(self.sweep_disk(drainer.drain()));
    }

    async fn tend_gateway(self, drain: Drain) {
        tokio::select! {
            () = self.gateway.tend() => {}
            () = drain.begun() => {}
        }
    }

    async fn tend_rollouts(self, drain: Drain) {
        let mut looks = tokio::time::interval(ROLLOUT_LOOK);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.deployments.breaker_opened() => {}
                () = drain.begun() => return,
            }
            self.deployments.tend_rollouts().await;
        }
    }

    async fn tend_pools(self, drain: Drain) {
        let mut windows = tokio::time::interval(POOL_WINDOW);
        loop {
            tokio::select! {
                _ = windows.tick() => self.deployments.tend_pools().await,
                () = drain.begun() => return,
            }
        }
    }

    /// Keeps the disk from filling with what is over, and tells how full it is.
    async fn sweep_disk(self, drain: Drain) {
        // As often as uploads may be gone, where that is often.
        let mut turns = tokio::time::interval(self.deployments.sweeps_every(SWEEP));
        loop {
            tokio::select! {
                _ = turns.tick() => {}
                () = drain.begun() => return,
            }
            if let Err(fault) = self.gateway.sweep().await {
                tracing::warn!("answers that are kept no longer could not be removed: {fault}");
            }
            self.deployments.sweep_components().await;
            if let Err(fault) = self.blobs.collect().await {
                tracing::warn!("blobs without a name could not be removed: {fault}");
            }
            for name in ["state", "values", "blobs"] {
                let folder = self.data.join(name);
                let bytes = tokio::task::spawn_blocking(move || store::bytes_in(&folder));
                self.metrics.disk(name, bytes.await.unwrap_or_default());
            }
        }
    }
}

/// What each service keeps in blobs.
fn kept(blobs: &dyn Blobs) -> Vec<BlobSample> {
    let all = blobs.usage().into_iter();
    all.map(|(service, usage)| BlobSample {
        service,
        bytes: usage.bytes,
        objects: usage.objects,
    })
    .collect()
}
