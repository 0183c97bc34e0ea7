//! `stoa config`: a service's configuration, live.

use anyhow::bail;
use clap::{Args, Subcommand};

use stoa_api::{ConfigChanges, ConfigDetail, ConfigSource, ConfigValue, ConfigVersion};

use super::{Shared, Usage, service};

/// Show or change the configuration of a service, without a redeploy.
///
/// What is set here goes before the manifest's values, is kept by deployments, and
/// is seen by the service from its next call on.
#[derive(Debug, Args)]
pub struct Config {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the configuration, or one value as it is.
    Get {
        /// The value's key.
        key: Option<String>,
    },
    /// Set values, all or none.
    Set {
        /// Keys with their values.
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
        #[command(flatten)]
        condition: Condition,
    },
    /// Go back to the manifest's values of these keys.
    Unset {
        /// The keys.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        condition: Condition,
    },
    /// List the changes that can be gone back to.
    History,
    /// Go back to what was set before.
    Rollback {
        /// The version to go back to, 0 for the manifest's values alone [default: the one before].
        #[arg(long, value_name = "VERSION")]
        to: Option<u64>,
        #[command(flatten)]
        condition: Condition,
    },
}

#[derive(Debug, Args)]
struct Condition {
    /// Change this version of the configuration, or nothing.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

impl Config {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, service) = (shared.client()?, &self.service);
        let action = self.action.unwrap_or(Action::Get { key: None });
        let detail = match action {
            Action::Get { key: Some(key) } => {
                return print_value(shared, &client.config_value(service, &key).await?);
            }
            Action::History => {
                return print_history(shared, &client.config_history(service).await?);
            }
            Action::Get { key: None } => client.config(service).await?,
            Action::Set { values, condition } => {
                let changes = values.iter().map(|pair| pair_of(pair));
                let changes = changes.collect::<Result<ConfigChanges, _>>()?;
                let version = condition.if_version;
                client.change_config(service, &changes, version).await?
            }
            Action::Unset { keys, condition } => {
                let before = client.config(service).await?;
                for key in of_manifest(&before, &keys) {
                    let text = format!(
                        "{key} comes from the manifest, and nothing else is set: change it there and deploy, or set \
                         another value with `stoa config {service} set`"
                    );
                    shared.output().note(&text);
                }
                let changes = keys.into_iter().map(|key| (key, None)).collect();
                let version = condition.if_version;
                client.change_config(service, &changes, version).await?
            }
            Action::Rollback { to, condition } => {
                let version = condition.if_version;
                client.rollback_config(service, to, version).await?
            }
        };
        print_all(shared, &detail)
    }
}

/// Those of the keys that no operator has set.
fn of_manifest<'k>(before: &ConfigDetail, keys: &'k [String]) -> Vec<&'k String> {
    let is_its = |key: &&String| {
        let value = before.values.get(*key);
        value.is_some_and(|value| value.source == ConfigSource::Manifest)
    };
    keys.iter().filter(is_its).collect()
}

/// `KEY=VALUE`; the value may hold any `=` of its own.
fn pair_of(text: &str) -> anyhow::Result<(String, Option<String>)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), Some(value.to_owned()))),
        _ => bail!(Usage(format!("expected KEY=VALUE, found {text:?}"))),
    }
}

fn print_value(shared: &Shared, found: &ConfigValue) -> anyhow::Result<()> {
    let output = shared.output();
    if output.is_json() {
        return output.json(found);
    }
    output.foreign(&found.value)
}

fn print_all(shared: &Shared, detail: &ConfigDetail) -> anyhow::Result<()> {
    let rows = detail.values.iter().map(|(key, value)| {
        let source = match (value.source, &value.manifest) {
            (ConfigSource::Manifest, _) => "manifest".to_owned(),
            (ConfigSource::Operator, None) => "operator".to_owned(),
            (ConfigSource::Operator, Some(manifest)) => {
                format!("operator (manifest: {manifest:?})")
            }
        };
        [key.clone(), value.value.clone(), source]
    });
    shared
        .output()
        .table(detail, ["KEY", "VALUE", "FROM"], rows.collect())
}

fn print_history(shared: &Shared, history: &[ConfigVersion]) -> anyhow::Result<()> {
    let rows = history.iter().map(|entry| {
        let changes = entry.changes.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value:?}"),
            None => format!("{key} unset"),
        });
        let mut change = changes.collect::<Vec<_>>().join(", ");
        if let Some(to) = entry.rollback_to {
            change = format!("back to {to}: {change}");
        }
        [entry.version.to_string(), entry.at.clone(), change]
    });
    shared
        .output()
        .table(&history, ["VERSION", "WHEN", "CHANGE"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_equals_signs_and_be_empty() {
        let pair = |text| pair_of(text).unwrap();
        assert_eq!(pair("a=b=c"), ("a".into(), Some("b=c".into())));
        assert_eq!(pair("a="), ("a".into(), Some(String::new())));
        assert!(
            pair_of("a").unwrap_err().is::<Usage>() && pair_of("=b").unwrap_err().is::<Usage>()
        );
    }
}
