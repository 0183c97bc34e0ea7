//! `stoa scale`: other bounds for a pool, at once.

use anyhow::bail;
use clap::Args;

use stoa_api::ScaleRequest;
use stoa_settings::check::MOST;

use super::{Shared, Usage, service};

/// Change how many instances a service may have; kept across restarts.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("bounds").required(true).multiple(true).args(["min", "max"]))]
pub struct Scale {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
    /// Instances kept warm.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(MOST)))]
    min: Option<u32>,
    /// Instances at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    max: Option<u32>,
}

impl Scale {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (min, max) = (self.min, self.max);
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            bail!(Usage(format!(
                "expected --min up to --max, found {min} above {max}"
            )));
        }
        let request = ScaleRequest { min, max };
        let client = shared.client()?;
        let pool = client.scale(&self.service, &request).await?;
        let row = [pool.min, pool.max, pool.busy, pool.idle, pool.queued].map(|n| n.to_string());
        shared
            .output()
            .table(&pool, ["MIN", "MAX", "BUSY", "IDLE", "QUEUED"], vec![row])
    }
}
