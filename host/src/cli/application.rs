//! The services of a manifest, as `up` keeps them on its host: built, and
//! deployed when they differ from what is live.

use std::collections::{BTreeMap, BTreeSet};

use stoa_api::upstream::UpstreamDeploy;
use stoa_api::{ServiceDeploy, ServiceDetail, ServiceKind};
use stoa_control::admin::client::Client;
use stoa_settings::Settings;
use stoa_settings::manifest::{Manifest, ServiceManifest};
use stoa_settings::upstream::UpstreamSettings;

use super::build;
use super::output::Output;
use super::release::{self, Wait};

/// A manifest, and what of it is live.
pub struct Application {
    manifest: Manifest,
    client: Client,
    output: Output,
    live: BTreeMap<String, Live>,
    /// What the upstreams were declared with.
    declared: BTreeMap<String, UpstreamSettings>,
}

/// What a live revision was deployed from.
#[derive(Debug, PartialEq)]
struct Live {
    component: String,
    settings: Settings,
}

impl Application {
    /// Nothing of the manifest is known to be live yet.
    pub fn new(manifest: Manifest, client: Client, output: Output) -> Self {
        Self {
            manifest,
            client,
            output,
            live: BTreeMap::new(),
            declared: BTreeMap::new(),
        }
    }

    /// What it is made from.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The way to its host.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where its progress is shown.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Asks the host what is live from before.
    pub async fn learn(&mut self) -> anyhow::Result<()> {
        let services = self.client.services().await?.into_iter();
        for summary in services.filter(|one| one.kind == ServiceKind::Component) {
            let detail = self.client.service(&summary.service).await?;
            if let Some(live) = Live::of(&detail) {
                self.live.insert(summary.service, live);
            }
        }
        Ok(())
    }

    /// Reads the manifest anew, and says which services it changes. One with
    /// faults changes nothing.
    pub fn reload(&mut self) -> anyhow::Result<BTreeSet<String>> {
        let manifest = Manifest::load(&self.manifest.file)?;
        let before = std::mem::replace(&mut self.manifest, manifest);
        for gone in before
            .services
            .keys()
            .filter(|name| !self.manifest.services.contains_key(*name))
        {
            self.output.note(&format!(
                "{gone} is no longer in the manifest; it stays live until `stoa undeploy {gone}`"
            ));
        }
        let services = self.manifest.services.iter();
        let changed =
            services.filter(|(name, service)| before.services.get(*name) != Some(service));
        Ok(changed.map(|(name, _)| name.clone()).collect())
    }

    /// Builds the services that are meant, and those that never came up; deploys
    /// together what then differs from what is live.
    pub async fn bring_up(&mut self, meant: impl Fn(&str) -> bool + Clone) -> anyhow::Result<()> {
        let live = &self.live;
        let wanted =
            |(name, _): &(&String, &ServiceManifest)| meant(name) || !live.contains_key(*name);
        let services: Vec<_> = self.manifest.services.iter().filter(wanted).collect();
        build::build(&self.manifest.folder, services.iter().copied(), self.output).await?;

        let (mut next, mut deployed) = (Vec::new(), Vec::new());
        for (name, service) in services {
            let component = release::digest(&service.component).await?;
            let revision = Live {
                component,
                settings: service.settings.clone(),
            };
            if self.live.get(name) == Some(&revision) {
                self.output.note(&format!("{name} is live as it is"));
                continue;
            }
            deployed.push((revision.deploy(name), service.component.clone()));
            next.push((name.clone(), revision));
        }
        let upstreams = self.manifest.upstreams.iter();
        let upstreams: Vec<_> = upstreams
            .filter(|(name, settings)| self.declared.get(*name) != Some(*settings))
            .map(|(name, settings)| UpstreamDeploy {
                upstream: name.clone(),
                settings: settings.clone(),
            })
            .collect();
        if !deployed.is_empty() || !upstreams.is_empty() {
            let release = release::Release {
                services: deployed,
                upstreams,
            };
            release::deploy(&self.client, release, Wait::Live, self.output).await?;
            self.declared = self.manifest.upstreams.clone();
            self.live.extend(next);
        }
        Ok(())
    }
}

impl Live {
    /// `None` when several revisions share the traffic: it is not settled then
    /// what is live.
    fn of(detail: &ServiceDetail) -> Option<Self> {
        let [only] = detail.summary.live.as_slice() else {
            return None;
        };
        Some(Self {
            component: only.component.clone(),
            settings: detail.settings.clone(),
        })
    }

    fn deploy(&self, service: &str) -> ServiceDeploy {
        ServiceDeploy {
            service: service.to_owned(),
            component: self.component.clone(),
            settings: self.settings.clone(),
            canary: None,
            stages: None,
        }
    }
}
