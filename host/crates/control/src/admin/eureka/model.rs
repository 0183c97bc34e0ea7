//! An instance as Eureka clients tell it and read it.
//!
//! The shape is that of Netflix's server (`InstanceInfo` and its codecs): numbers
//! that are strings here and there are so in its answers, and clients rely on it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Fields that pass through as text.
const TEXTS: [&str; 9] = [
    "sid",
    "appGroupName",
    "homePageUrl",
    "statusPageUrl",
    "healthCheckUrl",
    "secureHealthCheckUrl",
    "vipAddress",
    "secureVipAddress",
    "asgName",
];
/// Bytes of an app's or an instance's name: they stand in paths.
const NAME: usize = 256;
/// Seconds between heartbeats, and without one until an instance is gone; what
/// Netflix's client asks for when nothing else is set.
const RENEWAL: u64 = 30;
const DURATION: u64 = 90;
/// The shortest and the longest lease, in seconds: nobody stays for days without
/// a sign of life.
const DURATIONS: std::ops::RangeInclusive<u64> = 1..=3600;

/// A registered instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Upper-case name of its application.
    pub app: String,
    /// Unique within the application.
    pub id: String,
    /// Where it is reached.
    pub host: String,
    /// The same as an address.
    pub ip: String,
    /// What it says of itself.
    pub own_status: Status,
    /// What an operator says of it, which goes before.
    pub overridden: Option<Status>,
    /// Its plain and its TLS port.
    pub port: Port,
    /// See `port`.
    pub secure_port: Port,
    /// Anything, for its clients.
    pub metadata: BTreeMap<String, String>,
    /// Seconds.
    pub lease: LeaseInfo,
    /// Milliseconds since 1970, the client's: when it last changed by itself.
    pub dirty: u64,
    /// Milliseconds since 1970: when it last changed here.
    pub updated: u64,
    /// What happened to it last.
    pub action: Action,
    texts: BTreeMap<&'static str, String>,
    country: u64,
    data_center: Value,
}

/// Whether an instance takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It fails.
    Down,
    /// It was taken out.
    OutOfService,
    /// Not yet.
    Starting,
    /// Nobody knows.
    Unknown,
    /// It does.
    Up,
}

/// A port, and whether it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Whether it is in use.
    pub enabled: bool,
}

/// How long an instance is believed to be there. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseInfo {
    /// Seconds between heartbeats.
    pub renewal: u64,
    /// Seconds without one until it is gone.
    pub duration: u64,
    /// When it registered.
    pub registered: u64,
    /// When it was last heard of.
    pub renewed: u64,
    /// When it first was `UP`.
    pub up: u64,
}

/// What happened to an instance last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Added,
    /// It is another than before.
    Modified,
    /// It is gone.
    Deleted,
}

impl Instance {
    /// Reads what a client registers, in JSON or as [`super::xml`] reads it.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn read(value: &Value) -> Result<Self, String> {
        let fields = Fields(value);
        let app = name(fields.required("app")?)?.to_uppercase();
        let host = name(fields.required("hostName")?)?;
        let id = match fields.text("instanceId") {
            Some(id) => name(id)?,
            None => host.clone(),
        };
        if !value["dataCenterInfo"]["name"].is_string() {
            return Err("expected `dataCenterInfo` with a `name`".to_owned());
        }
        let status = fields.text("status").unwrap_or_else(|| "UP".to_owned());
        let texts = TEXTS
            .iter()
            .filter_map(|key| Some((*key, fields.text(key)?)));
        Ok(Self {
            app,
            id,
            host,
            ip: fields.text("ipAddr").unwrap_or_default(),
            own_status: Status::read(&status)?,
            overridden: None,
            port: Port::read(&value["port"], 7001, true)?,
            secure_port: Port::read(&value["securePort"], 7002, false)?,
            metadata: metadata(&value["metadata"]),
            lease: LeaseInfo::read(&Fields(&value["leaseInfo"])),
            dirty: fields.number("lastDirtyTimestamp").unwrap_or_default(),
            updated: 0,
            action: Action::Added,
            texts: texts.collect(),
            country: fields.number("countryId").unwrap_or(1),
            data_center: data_center(&value["dataCenterInfo"]),
        })
    }

    /// What clients are told of it.
    pub fn status(&self) -> Status {
        self.overridden.unwrap_or(self.own_status)
    }

    /// Whether a virtual address, plain or of TLS, is one of its own.
    pub fn has_vip(&self, key: &str, vip: &str) -> bool {
        let own = self.texts.get(key).map(String::as_str).unwrap_or_default();
        own.split(',').any(|own| own.eq_ignore_ascii_case(vip))
    }

    /// As clients read it.
    pub fn json(&self) -> Value {
        let overridden = self.overridden.unwrap_or(Status::Unknown);
        let mut json = json!({
            "instanceId": self.id,
            "app": self.app,
            "hostName": self.host,
            "ipAddr": self.ip,
            "status": self.status().name(),
            "overriddenStatus": overridden.name(),
            "port": self.port.json(),
            "securePort": self.secure_port.json(),
            "countryId": self.country,
            "dataCenterInfo": self.data_center,
            "leaseInfo": self.lease.json(),
            "metadata": self.metadata,
            "isCoordinatingDiscoveryServer": "false",
            "lastUpdatedTimestamp": self.updated.to_string(),
            "lastDirtyTimestamp": self.dirty.to_string(),
            "actionType": self.action.name(),
        });
        for (key, text) in &self.texts {
            json[*key] = Value::from(text.as_str());
        }
        json
    }
}

// === impl Status ===

impl Status {
    /// Reads its name.
    ///
    /// # Errors
    /// The names, and what was found.
    pub fn read(text: &str) -> Result<Self, String> {
        Ok(match text {
            "UP" => Self::Up,
            "DOWN" => Self::Down,
            "STARTING" => Self::Starting,
            "OUT_OF_SERVICE" => Self::OutOfService,
            "UNKNOWN" => Self::Unknown,
            _ => {
                return Err(format!(
                    "expected a status UP, DOWN, STARTING, OUT_OF_SERVICE or UNKNOWN, found {text:?}"
                ));
            }
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Starting => "STARTING",
            Self::OutOfService => "OUT_OF_SERVICE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

// === impl Port ===

impl Port {
    /// `{"$": 8080, "@enabled": "true"}`, or the number alone.
    fn read(value: &Value, number: u16, enabled: bool) -> Result<Self, String> {
        if value.is_null() {
            return Ok(Self { number, enabled });
        }
        let (found, enabled) = match value.get("$") {
            Some(found) => (
                found,
                text_of(&value["@enabled"]).as_deref() == Some("true"),
            ),
            None => (value, true),
        };
        let number = text_of(found).and_then(|text| text.parse().ok());
        match number {
            Some(number) => Ok(Self { number, enabled }),
            None => Err(format!(
                "expected a port such as {{\"$\": 8080, \"@enabled\": \"true\"}}, found {value}"
            )),
        }
    }

    fn json(self) -> Value {
        json!({ "$": self.number, "@enabled": self.enabled.to_string() })
    }
}

// === impl LeaseInfo ===

impl LeaseInfo {
    fn read(fields: &Fields<'_>) -> Self {
        let duration = fields.number("durationInSecs").unwrap_or(DURATION);
        Self {
            renewal: fields.number("renewalIntervalInSecs").unwrap_or(RENEWAL),
            duration: duration.clamp(*DURATIONS.start(), *DURATIONS.end()),
            ..Self::default()
        }
    }

    fn json(self) -> Value {
        json!({
            "renewalIntervalInSecs": self.renewal,
            "durationInSecs": self.duration,
            "registrationTimestamp": self.registered,
            "lastRenewalTimestamp": self.renewed,
            "evictionTimestamp": 0,
            "serviceUpTimestamp": self.up,
        })
    }
}

// === impl Action ===

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

// === reading ===

/// An object whose numbers may be strings.
struct Fields<'v>(&'v Value);

impl Fields<'_> {
    fn text(&self, key: &str) -> Option<String> {
        text_of(self.0.get(key)?).filter(|text| !text.is_empty())
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    fn required(&self, key: &str) -> Result<String, String> {
        self.text(key)
            .ok_or_else(|| format!("expected an instance with `{key}`"))
    }
}

fn name(text: String) -> Result<String, String> {
    if text.len() > NAME || text.chars().any(char::is_control) {
        return Err(format!(
            "expected a name of at most {NAME} bytes without control characters, found {text:?}"
        ));
    }
    Ok(text)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn metadata(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields
        // `@class` names a Java class.
        .filter(|(key, _)| !key.starts_with('@'))
        .filter_map(|(key, value)| Some((key.clone(), text_of(value)?)))
        .collect()
}

fn data_center(value: &Value) -> Value {
    let mut kept = Map::new();
    let class = text_of(&value["@class"])
        .unwrap_or_else(|| "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo".to_owned());
    kept.insert("@class".to_owned(), Value::from(class));
    kept.insert("name".to_owned(), value["name"].clone());
    let metadata = metadata(&value["metadata"]);
    if !metadata.is_empty() {
        kept.insert("metadata".to_owned(), json!(metadata));
    }
    Value::Object(kept)
}
