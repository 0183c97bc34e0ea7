//! What is refused when it is deployed.

use super::*;
use crate::host;

#[tokio::test]
async fn what_makes_no_queue_is_refused_when_it_is_deployed() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let faults = |service: Service| {
        let admin = &admin;
        async move {
            let faults = admin.refused(&service).await?;
            anyhow::Ok(format!("{faults:?}"))
        }
    };
    let told = faults(source(json!({ "key": "kee" }))).await?;
    ensure!(
        told.contains("happened") && told.contains("key, number"),
        "{told}"
    );
    let unknown = source(json!({})).set("queues", json!({ "test:queue/event": {} }));
    let told = faults(unknown).await?;
    ensure!(
        told.contains("did you mean") && told.contains(QUEUE),
        "{told}"
    );
    let returning =
        Service::new("relay", guests::RELAY).set("queues", json!({ "test:chain/probe": {} }));
    let told = faults(returning).await?;
    ensure!(
        told.contains("nobody waits for what a call in a queue gives back"),
        "{told}"
    );
    // Two that bind it must say the same of it.
    admin.deploy_one(&source(json!({}))).await?;
    let other = source(json!({ "max_attempts": 3 })).named("second");
    let told = faults(other.set("routes", json!([]))).await?;
    ensure!(told.contains("with other settings"), "{told}");
    Ok(())
}

/// What is kept in a queue must be what the revision that gets it can read.
#[tokio::test]
async fn a_revision_that_waiting_calls_do_not_fit_is_refused() -> Result<()> {
    let host = serving(&[source(ordered()), sink("sink")]).await?;
    host.cli(&["queue", "pause", QUEUE]).await?.expect(0)?;
    happen(&host, "a", 1).await?.expect(204)?;
    let admin = host.admin()?;
    undeploy(&host, "source").await?;
    // It exports the interface without one of its functions.
    let bytes = std::fs::read(guests::QUEUE_SINK)?;
    let other = renamed(bytes, "happened", "occurred");
    let faults = admin.refused(&Service::of_bytes("sink", other)).await?;
    let told = format!("{faults:?}");
    ensure!(
        told.contains("1 of them") && told.contains("happened"),
        "{told}"
    );
    Ok(())
}

/// A component with another name of the same length in the place of one.
fn renamed(mut component: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut at = 0;
    while let Some(found) = component[at..]
        .windows(from.len())
        .position(|part| part == from.as_bytes())
    {
        let place = at + found..at + found + from.len();
        component[place.clone()].copy_from_slice(to.as_bytes());
        at = place.end;
    }
    component
}
