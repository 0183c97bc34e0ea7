//! Changes that wait for a deployment: the host makes them one after the other.

use std::pin::pin;
use std::time::Duration;

use stoa_control::admin::client::{Client, ClientError};

use super::output::Output;

/// How long silence explains itself.
const SILENT: Duration = Duration::from_secs(1);

/// Makes a change; says what it waits for, if it waits long.
pub async fn patiently<T>(
    client: &Client,
    output: Output,
    change: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let mut change = pin!(change);
    if let Ok(done) = tokio::time::timeout(SILENT, &mut change).await {
        return done;
    }
    if let Ok(under_way) = client.deployments().await
        && !under_way.services.is_empty()
    {
        let services = under_way.services.join(", ");
        output.note(&format!("waiting for a deployment of {services} to end"));
    }
    change.await
}
