//! The host's settings.
//!
//! Defaults, then a file, then the environment, then flags: the later wins.
//! Everything is read, and every fault reported, before a socket is bound. Each
//! default stands here, once, with its reason. Knows nothing of what the host
//! does with a setting. Settings of a service are in `service::settings`.

pub mod document;
pub mod faults;
mod keys;
mod security;
pub mod values;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::service::settings::Compression;
use crate::service::settings::Rate;
use faults::Faults;
pub use security::SecurityHeaders;

/// Where a host keeps its data, and where a client looks for its token.
pub const DATA: &str = ".stoa";
/// Port of the admin API.
pub const ADMIN_PORT: u16 = 8081;

/// Everything that a host is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Where the admin API listens.
    pub admin: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// The file of the key that secrets are sealed with; `None` is `secrets.key` in
    /// the data directory.
    pub secrets_key: Option<PathBuf>,
    /// The region that services are told they run in.
    pub region: Option<String>,
    /// Certificates that outgoing TLS believes beside the system's roots, in PEM.
    pub outbound_ca: Option<PathBuf>,
    /// How long calls under way may go on when the host stops.
    pub drain: Duration,
    /// The way in.
    pub gateway: Gateway,
    /// The runtime.
    pub engine: Engine,
    /// What the host writes to standard error.
    pub log: Log,
}

/// Limits of the gateway, for each connection unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a connection without a request is kept.
    pub idle_timeout: Duration,
    /// Open connections at most, all together.
    pub max_connections: usize,
    /// Bytes of a request's head at most.
    pub max_header_bytes: usize,
    /// Header fields of a request at most.
    pub max_headers: usize,
    /// Requests under way on an HTTP/2 connection at most.
    pub http2_streams: u32,
    /// Requests that one client address may send, to all routes together.
    pub rate: Option<Rate>,
    /// Whether responses may be compressed.
    pub compression: Compression,
    /// Which security headers responses get.
    pub security: SecurityHeaders,
}

/// Limits of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Component instances at most, in each engine.
    pub instances: u32,
    /// Linear memory of any instance at most, in bytes; a service's own limit
    /// lies below.
    pub max_memory: u64,
    /// Size of a component at most, in bytes.
    pub max_component: u64,
    /// How often running guests are looked at.
    pub epoch: Duration,
}

/// What the host writes to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A level, or directives such as `info,stoa::mesh=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Which requests are logged.
    pub access: AccessLog,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    Auto,
    /// For people.
    Pretty,
    /// One ECS object a line.
    Json,
}

/// Which requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// None.
    Off,
    /// Those answered with a 5xx.
    Errors,
    /// Each.
    All,
}

/// A setting given on the command line: its key, such as `listen` or
/// `gateway.idle_timeout`, and its value.
pub type Flag = (&'static str, String);

impl Config {
    /// Reads the settings of this process: `file` if there is one, the
    /// environment, and these flags.
    ///
    /// # Errors
    /// Every fault in any of them.
    pub fn load(file: Option<&Path>, flags: &[Flag]) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut text = String::new();
        if let Some(path) = file {
            text = std::fs::read_to_string(path).unwrap_or_else(|fault| {
                faults.add(
                    path.display().to_string(),
                    format!("can't be read: {fault}"),
                );
                String::new()
            });
        }
        let name = file
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        });
        Self::layers(faults, (&name, &text), environment, flags)
    }

    /// Lays the sources over each other; touches neither disk nor environment.
    fn layers(
        mut faults: Faults,
        (file, text): (&str, &str),
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[Flag],
    ) -> Result<Self, Faults> {
        let mut config = Self::default();
        faults.append(keys::from_file(&mut config, file, text));
        faults.append(keys::from_environment(&mut config, environment));
        faults.append(keys::from_flags(&mut config, flags));
        faults.or(config)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Loopback until somebody says otherwise: a first try must not open
            // a port to the network.
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            // Its own socket, so that it can stay closed where the gateway is open.
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT)),
            // Beside the project, found again by the next command.
            data: PathBuf::from(DATA),
            // One machine has no region.
            secrets_key: None,
            region: None,
            // The system's roots are what other programs believe.
            outbound_ca: None,
            // The deadline of a call, and what orchestrators wait before they kill.
            drain: Duration::from_secs(30),
            gateway: Gateway::default(),
            engine: Engine::default(),
            log: Log::default(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            // A slow phone sends its head in a second or two; a slow-loris never does.
            header_timeout: Duration::from_secs(10),
            // Longer than the 60 s of common load balancers, so that they close
            // first and never send into a connection that is going away.
            idle_timeout: Duration::from_secs(75),
            // Some ten KiB each: a hundred MiB in the worst case.
            max_connections: 10_000,
            // Envoy's advice for an edge; room for the largest cookies.
            max_header_bytes: 60 << 10,
            // Likewise.
            max_headers: 100,
            // Envoy's advice for an edge: bounds what one client holds.
            http2_streams: 100,
            // A whole office may be one address: the routes' own limits know better.
            rate: None,
            // Text shrinks to a fifth, and networks are slower than cores.
            compression: Compression::On,
            security: SecurityHeaders::default(),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            // Address space is reserved for each; more than a machine's cores can
            // keep busy even when most of them wait.
            instances: 1000,
            // What a 32-bit memory can address.
            max_memory: 4 << 30,
            // Ten times a large component of a compiled language; an interpreted
            // one fits with its runtime.
            max_component: 64 << 20,
            // Short against the latency that people notice, long against the
            // cost of looking.
            epoch: Duration::from_millis(2),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            // A line for what changes, none for what is usual.
            level: "info".into(),
            // People and machines each get what they read.
            format: LogFormat::Auto,
            // A line a request costs more than many requests do.
            access: AccessLog::Errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::service::settings::By;

    fn layers(file: &str, environment: &[(&str, &str)], flags: &[Flag]) -> Result<Config, String> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Config::layers(Faults::default(), ("host.toml", file), environment, flags)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_later_source_wins() {
        let file = "listen = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:2\"\nregion = \"eu\"";
        let environment = [
            ("STOA_LISTEN", "127.0.0.1:3"),
            ("STOA_ADMIN", "127.0.0.1:4"),
            ("PATH", "/bin"),
        ];
        let flags = [("listen", "127.0.0.1:5".to_owned())];
        let config = layers(file, &environment, &flags).unwrap();
        assert_eq!(config.listen.port(), 5);
        assert_eq!(config.admin.port(), 4);
        assert_eq!(config.region.as_deref(), Some("eu"));
        assert_eq!(config.drain, Duration::from_secs(30));
    }

    #[test]
    fn every_key_is_reached_from_a_file() {
        let file = r#"
            data = "/var/lib/stoa"
            drain = "5s"
            [gateway]
            header_timeout = "1s"
            idle_timeout = "2s"
            max_connections = 3
            max_header_bytes = "4KiB"
            max_headers = 5
            http2_streams = 6
            rate = "7/min"
            compression = "off"
            security_headers = "on"
            content_security_policy = "off"
            referrer_policy = "origin"
            hsts = "1day"
            [engine]
            instances = 7
            max_memory = "8MiB"
            max_component = 9
            epoch = "10ms"
            [log]
            level = "info,stoa=debug"
            format = "json"
            access = "all"
        "#;
        let expected = Config {
            data: "/var/lib/stoa".into(),
            drain: Duration::from_secs(5),
            gateway: Gateway {
                header_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(2),
                max_connections: 3,
                max_header_bytes: 4096,
                max_headers: 5,
                http2_streams: 6,
                rate: Some(Rate {
                    by: By::Address,
                    ..Rate::new(NonZeroU32::new(7).unwrap(), Duration::from_secs(60)).unwrap()
                }),
                compression: Compression::Off,
                security: SecurityHeaders {
                    on: true,
                    content_security_policy: None,
                    referrer_policy: Some("origin".into()),
                    hsts: Some(Duration::from_secs(24 * 3600)),
                },
            },
            engine: Engine {
                instances: 7,
                max_memory: 8 << 20,
                max_component: 9,
                epoch: Duration::from_millis(10),
            },
            log: Log {
                level: "info,stoa=debug".into(),
                format: LogFormat::Json,
                access: AccessLog::All,
            },
            ..Config::default()
        };
        assert_eq!(layers(file, &[], &[]).unwrap(), expected);
    }

    #[test]
    fn all_faults_of_all_sources_come_together() {
        let file = "lisen = \"127.0.0.1:1\"\nidle_timeout = \"1s\"\nbind = \"x\"\n[gateway]\nmax_headers = 0\n[gatway]\n";
        let flags = [("listen", "localhost".to_owned())];
        let faults =
            layers(file, &[("STOA_LISEN", "x"), ("STOA_DRAIN", "soon")], &flags).unwrap_err();
        assert_eq!(
            faults.lines().collect::<Vec<_>>(),
            [
                "host.toml:1: unknown key `lisen` at the top level: did you mean `listen`?",
                "host.toml:2: `idle_timeout` belongs in [gateway]",
                "host.toml:3: `bind` is called `listen` here",
                "host.toml:5: `max_headers`: expected a whole number from 1 to 4096, found \"0\"",
                "host.toml:6: unknown key `gatway` at the top level: did you mean `gateway`?",
                "STOA_LISEN: unknown setting: did you mean STOA_LISTEN?",
                "STOA_DRAIN: expected a duration such as \"250ms\" or \"10s\", found \"soon\"",
                "--listen: expected ADDRESS:PORT such as 127.0.0.1:8080 (port 0 takes a free one), found \"localhost\"",
            ]
        );
    }

    #[test]
    fn a_missing_file_is_a_fault_and_not_a_default() {
        let faults = Config::load(Some(Path::new("/nonexistent/host.toml")), &[]).unwrap_err();
        assert!(
            faults
                .to_string()
                .starts_with("/nonexistent/host.toml: can't be read:")
        );
    }
}
