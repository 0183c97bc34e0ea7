//! From files to live revisions: digest, upload, deploy. `deploy` and `up` share it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use stoa_api::upstream::UpstreamDeploy;
use stoa_api::{DeployRequest, ServiceDeploy};
use stoa_control::admin::client::Client;

use super::output::{Output, Size};
use super::{rollout, steps};

/// When a deployment is over for who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// New calls go to the new revisions.
    Live,
    /// And those under way on the old ones have ended, and no rollout is under way.
    Over,
}

/// SHA-256 of a component's file, in hex.
///
/// # Errors
/// If the file can't be read.
pub async fn digest(file: &Path) -> anyhow::Result<String> {
    let path = file.to_owned();
    let hashed = tokio::task::spawn_blocking(move || hash(&path)).await?;
    hashed.with_context(|| {
        format!(
            "the component {} can't be read; is it built (`stoa build`)?",
            file.display()
        )
    })
}

/// What is deployed together.
pub struct Release {
    /// Services, each with the file of its component.
    pub services: Vec<(ServiceDeploy, PathBuf)>,
    /// HTTP services that are no components.
    pub upstreams: Vec<UpstreamDeploy>,
}

/// Deploys a release; what the host does not have is uploaded first.
///
/// # Errors
/// If the host can't be reached or refuses, or takes a revision back while it is waited for.
pub async fn deploy(
    client: &Client,
    release: Release,
    wait: Wait,
    output: Output,
) -> anyhow::Result<()> {
    let Release {
        services,
        upstreams,
    } = release;
    let width = services
        .iter()
        .map(|(service, _)| service.service.len())
        .max()
        .unwrap_or_default();
    for (service, file) in &services {
        upload(client, service, file, output).await?;
    }
    let services = services.into_iter().map(|(service, _)| service).collect();
    let request = DeployRequest {
        services,
        upstreams,
        wait: wait == Wait::Over,
    };
    let progress = client.deploy(&request).await?;
    let revisions = steps::follow(progress, width, output).await?;
    // The deployment is done: not to know the shares does not undo it.
    if let Err(fault) = rollout::tell_shares(client, &revisions, output).await {
        output.note(&format!("the shares of the traffic can't be read: {fault}"));
    }
    if wait == Wait::Over {
        rollout::wait(client, &revisions, output).await?;
    }
    Ok(())
}

async fn upload(
    client: &Client,
    service: &ServiceDeploy,
    file: &Path,
    output: Output,
) -> anyhow::Result<()> {
    if client.has_component(&service.component).await? {
        return Ok(());
    }
    let size = tokio::fs::metadata(file).await?.len();
    let bar = bar(&service.service, size);
    let moved = bar.clone();
    let sent = move |bytes| moved.inc(bytes);
    let uploaded = client.put_component(&service.component, file, sent).await;
    bar.finish_and_clear();
    uploaded?;
    if bar.is_hidden() && !output.is_json() {
        output.note(&format!("Uploaded {} ({})", service.service, Size(size)));
    }
    Ok(())
}

/// Moves on a terminal; elsewhere it shows nothing.
fn bar(service: &str, size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size).with_message(format!("Uploading {service}"));
    let style =
        ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}");
    bar.with_style(style.expect("the template is right").progress_chars("=> "))
}

fn hash(file: &Path) -> io::Result<String> {
    let mut hash = Hash(Sha256::new());
    io::copy(&mut File::open(file)?, &mut hash)?;
    Ok(hex::encode(hash.0.finalize()))
}

struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_digest_is_sha_256_in_hex() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(file.path()).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_missing_component_names_its_file_and_the_way_out() {
        let fault = digest(Path::new("/nonexistent/a.wasm")).await.unwrap_err();
        let text = format!("{fault:#}");
        assert!(
            text.contains("/nonexistent/a.wasm") && text.contains("stoa build"),
            "{text}"
        );
    }
}
