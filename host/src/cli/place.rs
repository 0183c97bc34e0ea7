//! Where the host is that a command is for, and how it shows that it may.
//!
//! What was given goes first, then the data directory of this folder, which has the
//! address of the host that runs on it, then the host that was started last, which each
//! host leaves word of in the user's settings: its address and its data directory, never
//! its token.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::host::Host;
use stoa_control::admin::client::ClientError;
use stoa_settings::config::{ADMIN_PORT, DATA};

/// The file in the user's folder of settings.
const FILE: &str = "stoa/host.toml";
const TOKEN: &str = "token";
/// The file in a data directory that has the address of the host that runs on it.
const ADDRESS: &str = "address";
/// How long a host of this machine may take to be there.
const CONNECT: Duration = Duration::from_millis(300);

/// A host that was started here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastHost {
    /// Its admin API, `http://HOST:PORT`.
    host: String,
    /// Its data directory, from the root.
    data: PathBuf,
}

/// Word of a host that runs, in its data directory.
#[must_use = "it is taken back when this is dropped"]
pub struct Word {
    file: PathBuf,
    address: String,
}

/// What was given for a command, by flags or the environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    pub host: Option<&'a str>,
    pub token: Option<&'a str>,
    pub data: Option<&'a Path>,
}

/// The host that a command is for.
#[derive(Debug)]
pub struct AdminHost {
    /// Its admin API.
    pub address: String,
    /// The token for it. Without one, the host's answer says that it wants one.
    pub token: Option<String>,
    /// Where its data would be, if that is known.
    data: Option<PathBuf>,
    last: Option<LastHost>,
}

// === impl LastHost ===

impl LastHost {
    /// Leaves word of a host that has just started. That it can't is no failure: not
    /// every host has a user with a home.
    ///
    /// What is in its data directory is there as long as what this returns.
    pub fn remember(host: &Host) -> Word {
        let last = Self {
            host: format!("http://{}", reachable(host.admin_addr())),
            data: real(host.data()),
        };
        let word = Word::leave(&last);
        if let Some(file) = file()
            && let Err(fault) = last.write(&file)
        {
            tracing::info!("other folders' commands will not find this host: {fault:#}");
        }
        word
    }

    /// The host that was started last.
    ///
    /// # Errors
    /// That the word of it can't be read.
    pub fn recall() -> Result<Option<Self>, String> {
        let Some((file, text)) = file().and_then(|file| {
            let text = std::fs::read_to_string(&file).ok()?;
            Some((file, text))
        }) else {
            return Ok(None);
        };
        toml::from_str(&text).map(Some).map_err(|fault| {
            format!(
                "{} is not what a host has written, and is left out; remove it: {}",
                file.display(),
                fault.message()
            )
        })
    }

    /// Whether anything listens there.
    fn is_there(&self) -> bool {
        let address = self.host.strip_prefix("http://");
        let address = address.and_then(|address| address.parse().ok());
        address.is_some_and(|address| TcpStream::connect_timeout(&address, CONNECT).is_ok())
    }

    fn write(&self, file: &Path) -> anyhow::Result<()> {
        let folder = file.parent().context("it has a folder")?;
        let text = format!(
            "# Of the host that was started last; commands of `stoa` find it by this.\n{}",
            toml::to_string(self)?
        );
        // In one step: another host may start now, too.
        let new = file.with_extension(std::process::id().to_string());
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&new, text))
            .and_then(|()| std::fs::rename(&new, file))
            .with_context(|| format!("{} can't be written", file.display()))
    }
}

// === impl Word ===

impl Word {
    fn leave(host: &LastHost) -> Self {
        let word = Self {
            file: host.data.join(ADDRESS),
            address: host.host.clone(),
        };
        if let Err(fault) = std::fs::write(&word.file, &word.address) {
            tracing::info!("{} can't be written: {fault}", word.file.display());
        }
        word
    }
}

/// Unless another host has written there since.
impl Drop for Word {
    fn drop(&mut self) {
        if std::fs::read_to_string(&self.file).is_ok_and(|found| found == self.address) {
            // What is left is no address of a host, and commands say so.
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

// === impl AdminHost ===

impl AdminHost {
    /// By what was given, from the folder `here`.
    pub fn of(given: Given<'_>, here: &Path, last: Option<LastHost>) -> Self {
        let own = here.join(DATA);
        let own = own.join(TOKEN).is_file().then_some(own);
        let data = given.data.map(Path::to_owned).or(own);
        let is_meant =
            |last: &&LastHost| data.as_deref().is_none_or(|data| real(data) == last.data);
        let meant = last.as_ref().filter(is_meant);
        let told = || std::fs::read_to_string(data.as_ref()?.join(ADDRESS)).ok();
        let of_data = given.host.is_none().then(told).flatten();
        let address = match (given.host, of_data, meant) {
            (Some(given), _, _) => given.to_owned(),
            (None, Some(told), _) => told.trim().to_owned(),
            (None, None, Some(last)) => last.host.clone(),
            (None, None, None) => format!("http://127.0.0.1:{ADMIN_PORT}"),
        };
        // Its token is for nobody else.
        let of_last = meant.filter(|last| last.host == address.trim_end_matches('/'));
        let data = data.or_else(|| Some(of_last?.data.clone()));
        let found = || std::fs::read_to_string(data.as_ref()?.join(TOKEN)).ok();
        let token = given.token.map(str::to_owned).or_else(found);
        Self {
            token: token.map(|token| token.trim().to_owned()),
            address,
            data,
            last,
        }
    }

    /// What to set, when the host can't be reached or does not take the token; `given`
    /// as for [`AdminHost::of`].
    pub fn advice(&self, fault: &ClientError, given: Given<'_>) -> Option<String> {
        let mut advice = match (fault, &self.data) {
            (ClientError::Unreachable { .. }, _) => String::new(),
            (ClientError::Unauthorized { .. }, _) if given.token.is_some() => {
                "the token is that of --token or STOA_TOKEN".to_owned()
            }
            (ClientError::Unauthorized { .. }, Some(data)) => {
                let file = data.join(TOKEN);
                match self.token {
                    Some(_) => format!("the token is that of {}", file.display()),
                    None => format!("no token was found: {} can't be read", file.display()),
                }
            }
            (ClientError::Unauthorized { .. }, None) => {
                format!("no token was found: there is no {DATA} in this folder")
            }
            _ => return None,
        };
        let named = |last: &&LastHost| last.host == self.address || last.is_there();
        if let Some(LastHost { host, data }) = self.last.as_ref().filter(named) {
            let (host, data) = (host, data.display());
            // Writing to a string can't fail.
            let _ = match *host == self.address {
                true => write!(
                    advice,
                    "\nthe host that was started last was there, with its data in {data}"
                ),
                false => write!(
                    advice,
                    "\nthe host that was started last is at {host}: for it, set --host {host} --data {data}, or \
                     STOA_HOST and STOA_DATA"
                ),
            };
        }
        (!advice.is_empty()).then(|| advice.trim_start().replace('\n', "\n  "))
    }
}

/// Where a listener is reached from this machine.
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// As the system knows it, whatever it is called by.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// By the XDG base directory specification: a relative folder is as none.
fn file() -> Option<PathBuf> {
    let set = |name: &str| {
        let folder = std::env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    Some(folder?.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a data directory that holds this token.
    fn folder(token: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(DATA)).unwrap();
        std::fs::write(folder.path().join(DATA).join(TOKEN), format!("{token}\n")).unwrap();
        folder
    }

    fn host_of(folder: &Path, host: &str) -> LastHost {
        LastHost {
            host: host.to_owned(),
            data: real(&folder.join(DATA)),
        }
    }

    fn found(place: &AdminHost) -> (&str, Option<&str>) {
        (&place.address, place.token.as_deref())
    }

    #[test]
    fn a_command_finds_its_host_from_any_folder() {
        let (shop, other, empty) = (
            folder("shop"),
            folder("other"),
            tempfile::tempdir().unwrap(),
        );
        let (shop, other, empty) = (shop.path(), other.path(), empty.path());
        let last = || Some(host_of(shop, "http://127.0.0.1:9"));
        let none = Given::default();
        let usual = "http://127.0.0.1:8081";
        let data = shop.join(DATA);
        let to_data = Given {
            data: Some(&data),
            ..none
        };
        let to_host = Given {
            host: Some("http://127.0.0.1:7"),
            ..none
        };
        let to_last = Given {
            host: Some("http://127.0.0.1:9/"),
            ..none
        };
        let by_token = Given {
            token: Some("given"),
            ..none
        };
        for (given, here, last, expected) in [
            (none, empty, None, (usual, None)),
            (none, empty, last(), ("http://127.0.0.1:9", Some("shop"))),
            (none, shop, last(), ("http://127.0.0.1:9", Some("shop"))),
            (none, shop, None, (usual, Some("shop"))),
            // A folder with data of its own means the host of that data.
            (none, other, last(), (usual, Some("other"))),
            (to_data, other, last(), ("http://127.0.0.1:9", Some("shop"))),
            (to_data, empty, None, (usual, Some("shop"))),
            (
                to_last,
                empty,
                last(),
                ("http://127.0.0.1:9/", Some("shop")),
            ),
            // Nobody else gets the last host's token.
            (to_host, empty, last(), ("http://127.0.0.1:7", None)),
            (
                by_token,
                empty,
                last(),
                ("http://127.0.0.1:9", Some("given")),
            ),
        ] {
            let place = AdminHost::of(given, here, last);
            assert_eq!(found(&place), expected, "{given:?} in {}", here.display());
        }
    }

    #[test]
    fn who_is_not_let_in_is_told_what_to_set() {
        let (shop, other) = (folder("shop"), folder("other"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let last = host_of(shop.path(), &at);
        let data = last.data.display().to_string();
        let none = Given::default();
        let refused = ClientError::Unauthorized {
            address: "a".into(),
        };
        let place = AdminHost::of(none, other.path(), Some(last.clone()));
        let advice = place.advice(&refused, none).unwrap();
        let own = other.path().join(DATA).join(TOKEN).display().to_string();
        for said in [&own, &at, &data, "--data", "STOA_DATA"] {
            assert!(advice.contains(said), "no {said} in {advice}");
        }
        drop(listener);
        let advice = place.advice(&refused, none).unwrap();
        assert!(!advice.contains(&at), "it is not there: {advice}");
        let gone = ClientError::Unreachable {
            address: "a".into(),
            cause: "b".into(),
        };
        let place = AdminHost::of(none, shop.path(), Some(last));
        let advice = place.advice(&gone, none).unwrap();
        assert!(
            advice.contains("was there") && advice.contains(&data),
            "{advice}"
        );
        let strange = ClientError::Request("x".into());
        assert_eq!(place.advice(&strange, none), None);
    }

    #[test]
    fn a_data_directory_knows_its_host_as_long_as_that_runs() {
        let (shop, other) = (folder("shop"), folder("other"));
        let last = || Some(host_of(other.path(), "http://127.0.0.1:9"));
        let own = host_of(shop.path(), "http://127.0.0.1:7");
        let word = Word::leave(&own);
        let place = || AdminHost::of(Given::default(), shop.path(), last());
        assert_eq!(found(&place()), ("http://127.0.0.1:7", Some("shop")));
        let later = Word::leave(&host_of(shop.path(), "http://127.0.0.1:8"));
        drop(word);
        assert_eq!(place().address, "http://127.0.0.1:8", "another's is left");
        drop(later);
        assert_eq!(place().address, "http://127.0.0.1:8081");
    }

    #[test]
    fn word_of_a_host_is_read_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/host.toml");
        let last = host_of(folder.path(), "http://[::1]:9");
        last.write(&file).unwrap();
        let read = std::fs::read_to_string(&file).unwrap();
        assert_eq!(toml::from_str::<LastHost>(&read).unwrap(), last);
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        for (listener, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("10.0.0.1:3", "10.0.0.1:3"),
        ] {
            assert_eq!(reachable(listener.parse().unwrap()).to_string(), expected);
        }
    }
}
