//! Where settings come from: the file, the environment (`STOA_` and the key in
//! capitals) and flags.

use super::document::{Document, Entry, flat};
use super::faults::{Faults, nearest};
use super::keys::{self, Key};
use super::{Config, Flag, jwt};

/// What other servers call a setting → what it is called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("address", "listen"),
    ("bind", "listen"),
    ("port", "listen"),
    ("admin_listen", "admin"),
    ("data_dir", "data"),
    ("state_dir", "data"),
    ("shutdown_timeout", "drain"),
    ("drain_timeout", "drain"),
    ("keep_alive", "gateway.idle_timeout"),
    ("keepalive_timeout", "gateway.idle_timeout"),
    ("certificate", "tls.cert"),
    ("certs", "tls.cert"),
    ("private_key", "tls.key"),
    ("max_instances", "engine.instances"),
    ("jwks_uri", "jwt.jwks"),
    ("jwks_url", "jwt.jwks"),
    ("log_level", "log.level"),
    ("log_format", "log.format"),
    ("access_log", "log.access"),
];

/// Sets what the file says.
pub fn from_file(config: &mut Config, file: &str, text: &str) -> Faults {
    let (mut document, table) = Document::parse(file, text);
    for (key, value) in &table {
        let mut entry = Entry::at_top(&mut document, key, value);
        if sections().any(|section| section == entry.name()) {
            entry.each(key.get_ref(), |entry| one_of_file(config, entry));
        } else {
            one_of_file(config, &mut entry);
        }
    }
    document.into_faults()
}

/// Sets what the environment says; what is not `STOA_…` is none of our business.
pub fn from_environment(
    config: &mut Config,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Faults {
    let mut faults = Faults::default();
    for (name, value) in variables {
        let known = keys::all().find(|key| variable(*key) == name);
        match known.map(|key| key.set(config, &value)) {
            Some(Ok(())) => {}
            Some(Err(fault)) => faults.add(name, fault),
            None => {
                if let Some(meant) = misspelt(&name) {
                    faults.add(name, format!("unknown setting: did you mean {meant}?"));
                }
            }
        }
    }
    faults
}

/// Sets what the command line says.
pub fn from_flags(config: &mut Config, flags: &[Flag]) -> Faults {
    let mut faults = Faults::default();
    for (name, value) in flags {
        let key = keys::all().find(|key| key.name == *name);
        let key = key.expect("a flag is made for a key of this table");
        if let Err(fault) = key.set(config, value) {
            faults.add(format!("--{}", name.replace(['.', '_'], "-")), fault);
        }
    }
    faults
}

fn one_of_file(config: &mut Config, entry: &mut Entry<'_, '_>) {
    let full = qualified(entry.section, entry.name());
    if full == "jwt.issuers" {
        config.jwt.issuers = jwt::issuers(entry.document, entry.value);
        return;
    }
    match keys::all().find(|key| key.name == full) {
        Some(key) => {
            let set = flat(entry.value.get_ref()).and_then(|text| key.set(config, &text));
            entry.check(set);
        }
        None => stranger(entry),
    }
}

/// A key that is not known where it stands: perhaps it is elsewhere, or under
/// another name.
fn stranger(entry: &mut Entry<'_, '_>) {
    let plain: &str = entry.key.get_ref();
    let home = keys::all().find(|key| last(key.name) == plain);
    let renamed = ELSEWHERE.iter().find(|(other, _)| *other == plain);
    match (home, renamed) {
        (Some(key), _) => {
            let place = match key.name.split_once('.') {
                Some((section, _)) => format!("in [{section}]"),
                None => "at the top level".to_owned(),
            };
            entry.fault(format!("`{plain}` belongs {place}"));
        }
        (None, Some((_, here))) => {
            entry.fault(format!("`{plain}` is called `{here}` here"));
        }
        (None, None) => {
            let known = known(entry.section);
            entry.document.unknown(entry.key, entry.section, &known);
        }
    }
}

/// The names that may stand in a section.
fn known(section: &str) -> Vec<&'static str> {
    let here = keys::all().filter(|key| qualified(section, last(key.name)) == key.name);
    let mut known: Vec<_> = here.map(|key| last(key.name)).collect();
    if section.is_empty() {
        known.extend(sections());
    }
    known
}

fn sections() -> impl Iterator<Item = &'static str> {
    let mut sections: Vec<_> = keys::all()
        .filter_map(|key| Some(key.name.split_once('.')?.0))
        .collect();
    sections.dedup();
    sections.into_iter()
}

fn qualified(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

fn variable(key: Key) -> String {
    format!("STOA_{}", key.name.replace('.', "_").to_uppercase())
}

/// The variable that a misspelt one means. Orchestrators set `STOA_…` variables
/// of their own (`STOA_SERVICE_PORT`): only a slip or two is taken for a typo.
fn misspelt(name: &str) -> Option<String> {
    const OF_CLIENTS: [&str; 3] = ["STOA_HOST", "STOA_TOKEN", "STOA_CONFIG"];
    if !name.starts_with("STOA_") || OF_CLIENTS.contains(&name) {
        return None;
    }
    let known: Vec<_> = keys::all().map(variable).collect();
    let meant = nearest(name, known.iter().map(String::as_str))?;
    (strsim::damerau_levenshtein(name, meant) <= 2).then(|| meant.to_owned())
}
