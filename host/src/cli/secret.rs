//! `stoa secret`: values that go in and don't come out again.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use stoa_api::SecretSummary;
use stoa_settings::secret_name;

use super::Shared;
use super::output::Output;

/// Keep secrets for services; a service reads those that its manifest's grants name.
#[derive(Debug, Args)]
pub struct Secret {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set a secret; its value is read from standard input, or from a file.
    ///
    /// Of standard input one end of line at the end is left out: `echo` adds it.
    Set {
        /// Its name.
        #[arg(value_parser = name)]
        name: String,
        /// The file that holds its value, as it is.
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// List the secrets and who may read them.
    Ls,
    /// Remove a secret.
    Rm {
        /// Its name.
        #[arg(value_parser = name)]
        name: String,
    },
    /// Seal all secrets with a new key.
    RotateKey,
}

impl Secret {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        match self.action {
            Action::Set { name, from_file } => {
                let value = match from_file {
                    Some(file) => from(&file)?,
                    None => from_stdin(&name, output)?,
                };
                table(output, &[client.set_secret(&name, value).await?])
            }
            Action::Ls => table(output, &client.secrets().await?),
            Action::Rm { name } => client.remove_secret(&name).await.map_err(Into::into),
            Action::RotateKey => {
                let rotated = client.rotate_secrets_key().await?;
                output.table(&rotated, ["SECRETS"], vec![[rotated.secrets.to_string()]])
            }
        }
    }
}

fn table(output: Output, secrets: &[SecretSummary]) -> anyhow::Result<()> {
    let rows = secrets.iter().map(|secret| {
        [
            secret.name.clone(),
            secret.version.to_string(),
            secret.set.clone(),
            secret.readers.join(", "),
        ]
    });
    output.table(
        &secrets,
        ["NAME", "VERSION", "SET", "READERS"],
        rows.collect(),
    )
}

fn from(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))
}

fn from_stdin(name: &str, output: Output) -> anyhow::Result<Vec<u8>> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        output.note(&format!(
            "Type the value of {name}; end it with Enter and Ctrl-D"
        ));
    }
    let mut value = Vec::new();
    stdin
        .read_to_end(&mut value)
        .context("standard input can't be read")?;
    Ok(without_end(value))
}

fn without_end(mut value: Vec<u8>) -> Vec<u8> {
    if value.last() == Some(&b'\n') {
        value.pop();
        if value.last() == Some(&b'\r') {
            value.pop();
        }
    }
    value
}

/// A secret's name as an argument.
fn name(text: &str) -> Result<String, String> {
    secret_name(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_end_of_line_is_left_out() {
        for (typed, value) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a")] {
            assert_eq!(
                without_end(typed.as_bytes().to_vec()),
                value.as_bytes(),
                "{typed:?}"
            );
        }
    }
}
