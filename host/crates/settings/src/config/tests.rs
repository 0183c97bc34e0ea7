use std::num::NonZeroU32;

use super::*;
use crate::By;

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
        admin_hosts = ["stoa.internal"]
        drain = "5s"
        [gateway]
        header_timeout = "1s"
        idle_timeout = "2s"
        max_connections = 3
        max_header_bytes = "8KiB"
        max_headers = 5
        http2_streams = 6
        rate = "7/min"
        compression = "off"
        security_headers = "on"
        content_security_policy = "off"
        referrer_policy = "origin"
        hsts = "1day"
        cache_bytes = "7MiB"
        max_uri_bytes = 100
        body_timeout = "7s"
        body_rate = 8
        write_timeout = "9s"
        max_connections_per_address = 2
        trusted_proxies = ["10.0.0.0/8", "::1"]
        proxy_protocol = "required"
        [tls]
        listen = "127.0.0.1:0"
        cert = ["a.pem", "b.pem"]
        key = "a.key, b.key"
        client_ca = "ca.pem"
        client_auth = "optional"
        client_scopes = { "cn:order" = ["orders:read", "orders:write"], "uri:spiffe://shop/x" = [] }
        handshake_timeout = "3s"
        [engine]
        instances = 7
        max_memory = "8MiB"
        max_component = 9
        epoch = "10ms"
        [keep]
        revisions = 3
        uploads = "10min"
        answers = "2MiB"
        [jwt]
        issuer = "https://login.example.com/"
        audience = "shop, back office"
        algorithms = "ES256"
        jwks = "https://login.example.com/jwks.json"
        secret_file = "/run/secrets/jwt"
        skew = "5s"
        refresh = "1m"
        max_stale = "1h"
        development = "off"
        [[jwt.issuers]]
        issuer = "https://partner.example/"
        audience = ["shop", "partners"]
        secret_file = "partner"
        [log]
        level = "info,stoa=debug"
        format = "json"
        access = "all"
    "#;
    let expected = Config {
        data: "/var/lib/stoa".into(),
        admin_hosts: vec!["stoa.internal".into()],
        drain: Duration::from_secs(5),
        gateway: Gateway {
            header_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(2),
            max_connections: 3,
            max_header_bytes: 8192,
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
            cache_bytes: 7 << 20,
            max_uri_bytes: 100,
            body_timeout: Duration::from_secs(7),
            body_rate: 8,
            write_timeout: Duration::from_secs(9),
            max_connections_per_address: 2,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            proxy_protocol: ProxyProtocol::Required,
        },
        tls: tls::Tls {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            cert: vec!["a.pem".into(), "b.pem".into()],
            key: vec!["a.key".into(), "b.key".into()],
            client_ca: Some("ca.pem".into()),
            client_auth: Some(tls::ClientAuth::Optional),
            client_scopes: [
                (
                    "cn:order".into(),
                    vec!["orders:read".into(), "orders:write".into()],
                ),
                ("uri:spiffe://shop/x".into(), vec![]),
            ]
            .into(),
            handshake_timeout: Duration::from_secs(3),
        },
        engine: Engine {
            instances: 7,
            max_memory: 8 << 20,
            max_component: 9,
            epoch: Duration::from_millis(10),
        },
        keep: Keep {
            revisions: 3,
            uploads: Duration::from_secs(600),
            answers: 2 << 20,
        },
        jwt: Jwt {
            issuer: Issuer {
                name: Some("https://login.example.com/".into()),
                audience: vec!["shop".into(), "back office".into()],
                algorithms: vec![Algorithm::Es256],
                jwks: Some(Jwks::Url("https://login.example.com/jwks.json".into())),
                secret_file: Some("/run/secrets/jwt".into()),
                skew: Duration::from_secs(5),
                refresh: Duration::from_secs(60),
                max_stale: Some(Duration::from_secs(3600)),
            },
            issuers: vec![Issuer {
                name: Some("https://partner.example/".into()),
                audience: vec!["shop".into(), "partners".into()],
                secret_file: Some("partner".into()),
                ..Issuer::default()
            }],
            development: Development::Off,
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
    let faults = layers(file, &[("STOA_LISEN", "x"), ("STOA_DRAIN", "soon")], &flags).unwrap_err();
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
fn what_does_not_go_together_is_a_fault() {
    let file = "admin_hosts = [\"stoa.internal:8081\"]\n[tls]\ncert = [\"a.pem\", \"b,c.pem\"]\nkey = \"a.key\"\n";
    let environment = [
        ("STOA_TLS_CLIENT_SCOPES", "cn:a=x, till=y"),
        ("STOA_TLS_CLIENT_AUTH", "required"),
    ];
    let faults = layers(file, &environment, &[]).unwrap_err();
    assert_eq!(
        faults.lines().collect::<Vec<_>>(),
        [
            "host.toml:1: `admin_hosts`: expected a name without a port, such as stoa.internal, found \"stoa.internal:8081\"",
            "host.toml:3: `cert`: expected no comma within an element of a list, found \"b,c.pem\"",
            "tls.cert: expected as many keys as certificates, found 0 in `tls.cert` and 1 in `tls.key`",
            "tls.client_auth: expected the authorities of clients in `tls.client_ca`, found none: nobody would be asked for a certificate",
            "tls.client_scopes: expected a subject such as \"uri:…\", \"dns:…\", \"email:…\", \"cn:…\", found \"till\": no client would have these scopes",
            "tls.client_scopes: expected the authorities of these clients in `tls.client_ca`, found none",
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
