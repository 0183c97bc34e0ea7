//! `stoa discovery`: what is registered, and how that changes.

use clap::Args;

use stoa_api::{Member, MemberKind, WatchEvent};

use super::Shared;
use super::output::Output;

/// Show what is registered: revisions of components, and instances of upstreams.
#[derive(Debug, Args)]
pub struct Discovery {
    /// Go on with each change.
    #[arg(short, long)]
    watch: bool,
    /// With --watch: begin after this revision of the registry.
    #[arg(long, value_name = "REVISION", requires = "watch")]
    from: Option<u64>,
}

impl Discovery {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        if !self.watch {
            let directory = client.discovery().await?;
            let rows = directory.members.iter().map(row).collect();
            let heads = ["SERVICE", "KIND", "ID", "STATE", "WEIGHT", "ADDRESS"];
            return output.table(&directory, heads, rows);
        }
        let mut watch = client.watch_discovery(self.from).await?;
        while let Some(event) = watch.next().await? {
            tell(output, &event)?;
        }
        Ok(())
    }
}

fn tell(output: Output, event: &WatchEvent) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json_line(event);
    }
    match event {
        WatchEvent::Snapshot(directory) => directory
            .members
            .iter()
            .try_for_each(|member| output.foreign(&line(directory.revision, member))),
        WatchEvent::Put { revision, member } => output.foreign(&line(*revision, member)),
        WatchEvent::Delete {
            revision,
            service,
            kind,
            id,
        } => output.foreign(&format!(
            "{revision}  {service}  {}  {id}  gone",
            name(*kind)
        )),
        WatchEvent::Heartbeat { .. } => Ok(()),
        WatchEvent::Compacted { revision } => {
            output.note(&format!(
                "the registry is at revision {revision}, and changes were missed: watch anew"
            ));
            Ok(())
        }
    }
}

fn line(revision: u64, member: &Member) -> String {
    let [service, kind, id, state, weight, address] = row(member);
    format!("{revision}  {service}  {kind}  {id}  {state}  {weight}{address}")
        .trim_end()
        .to_owned()
}

fn row(member: &Member) -> [String; 6] {
    let weight = member.weight.map(|weight| format!("{weight}%"));
    [
        member.service.clone(),
        name(member.kind).to_owned(),
        member.id.clone(),
        member.state.name().to_owned(),
        weight.unwrap_or_default(),
        member.address.clone().unwrap_or_default(),
    ]
}

fn name(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Component => "component",
        MemberKind::Upstream => "upstream",
    }
}
