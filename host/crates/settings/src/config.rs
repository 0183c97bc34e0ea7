//! The host's settings.
//!
//! Defaults, then a file, then the environment, then flags: the later wins.
//! Everything is read, and every fault reported, before a socket is bound. Each
//! default stands here, once, with its reason. Knows nothing of what the host
//! does with a setting. Settings of a service are in `settings`.

pub mod document;
pub mod faults;
mod jwt;
mod keys;
mod security;
mod sources;
pub mod tls;
pub mod values;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::Compression;
use crate::Rate;
use ipnet::IpNet;

use faults::Faults;
pub use jwt::{Algorithm, DEVELOPMENT_ISSUER, Development, Issuer, Jwks, Jwt};
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
    /// Names, beside those of this machine, by which the admin API is asked where it
    /// listens on loopback.
    pub admin_hosts: Vec<String>,
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
    /// The way in by TLS.
    pub tls: tls::Tls,
    /// Signed tokens that the gateway accepts.
    pub jwt: Jwt,
    /// The runtime.
    pub engine: Engine,
    /// How much is kept of what is over.
    pub keep: Keep,
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
    /// Bytes of a request's target at most.
    pub max_uri_bytes: usize,
    /// Requests under way on an HTTP/2 connection at most.
    pub http2_streams: u32,
    /// Requests that one client address may send, to all routes together.
    pub rate: Option<Rate>,
    /// Whether responses may be compressed.
    pub compression: Compression,
    /// Which security headers responses get.
    pub security: SecurityHeaders,
    /// Memory for answers of routes with `cache`, in bytes; with 0 none are stored.
    pub cache_bytes: u64,
    /// How long a request's body may let its service wait, besides what its bytes
    /// earn at `body_rate`.
    pub body_timeout: Duration,
    /// Bytes of a request's body that earn it a second.
    pub body_rate: u64,
    /// How long a client may take nothing of a response.
    pub write_timeout: Duration,
    /// Open connections of one address at most; of one /64 in IPv6.
    pub max_connections_per_address: usize,
    /// Proxies that are believed when they tell whom a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether connections begin with the PROXY protocol.
    pub proxy_protocol: ProxyProtocol,
}

/// Whether connections begin with a header that tells who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They don't.
    Off,
    /// All do, and all come from trusted proxies.
    Required,
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

/// How much is kept of what is over: what would grow for ever with use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Revisions of a service that can be gone back to, beside those in use.
    pub revisions: usize,
    /// How long a component is kept that no revision needs, from its upload or the
    /// last question for it on.
    pub uploads: Duration,
    /// Disk for answers of requests with an idempotency key, in bytes; beyond, those
    /// whose window ends first go.
    pub answers: u64,
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
        faults.append(sources::from_file(&mut config, file, text));
        faults.append(sources::from_environment(&mut config, environment));
        faults.append(sources::from_flags(&mut config, flags));
        config.tls.check(&mut faults);
        config.gateway.check(&mut faults);
        faults.append(config.jwt.check());
        faults.or(config)
    }
}

impl Gateway {
    /// What does not go together.
    fn check(&self, faults: &mut Faults) {
        if self.proxy_protocol == ProxyProtocol::Required && self.trusted_proxies.is_empty() {
            faults.add(
                "gateway.proxy_protocol",
                "expected the proxies that send it in `gateway.trusted_proxies`, found none",
            );
        }
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
            // A name of a network that leads to loopback is an attack, until it is known.
            admin_hosts: Vec::new(),
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
            tls: tls::Tls::default(),
            jwt: Jwt::default(),
            engine: Engine::default(),
            keep: Keep::default(),
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
            // Tens of thousands of usual answers, and little beside the memory that
            // instances may take.
            cache_bytes: 64 << 20,
            // RFC 9112, section 3, asks for 8000 octets at least.
            max_uri_bytes: 8 << 10,
            // A phone that changes its network is back by then; a slow body holds an
            // instance all the while.
            body_timeout: Duration::from_secs(20),
            // As Apache has it; a modem sends ten times as much.
            body_rate: 500,
            // The kernel holds up to some MiB for a client, and tells of room by the
            // third of that: a slow but honest one shows no progress for so long.
            write_timeout: Duration::from_secs(60),
            // A quarter of all: one address alone can't shut out the others.
            max_connections_per_address: 2500,
            // Who is believed unasked can be anybody.
            trusted_proxies: Vec::new(),
            // Only some load balancers speak it.
            proxy_protocol: ProxyProtocol::Off,
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

impl Default for Keep {
    fn default() -> Self {
        Self {
            // As Kubernetes keeps of a Deployment: who goes back goes back a few.
            revisions: 10,
            // A deployment follows its upload within minutes, also from a slow pipeline.
            uploads: Duration::from_secs(3600),
            // A million usual answers: twelve requests with a key each second of a day.
            answers: 1 << 30,
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
mod tests;
