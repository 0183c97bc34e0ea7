//! One stream of records from the host and its guests.
//!
//! The host logs through `tracing`, components through [`LogHandle::guest`]. Each
//! record goes three ways: to standard error as a line of ECS JSON or, on a
//! terminal, as text ([`Format`]); into a ring in memory for `stoa logs`; and to
//! who follows. None of them makes the one who logs wait for input or output.
//!
//! Knows nothing of who logs or why, nor of HTTP.

mod ecs;
mod filter;
mod layer;
mod level;
mod pretty;
mod record;
mod ring;
#[cfg(test)]
mod tests;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use filter::FilterError;
pub use level::{Level, UnknownLevel};
pub use pretty::{Colour, pretty_line};
pub use ring::{LogFilter, Tail, Tailed};

use layer::EventLayer;
use record::{Fields, Record, Value, clip, timestamp};
use ring::{Entry, Ring};
use writer::{Origin, Writer};

/// Installs the log of this process: from here on `tracing` and `log` events that
/// pass `filter` are written to standard error.
///
/// `filter` is a level, and levels of targets: `info,stoa::gateway=debug`;
/// `guest::SERVICE=debug` is for what a component writes.
///
/// # Errors
/// When the filter can't be understood, there is no thread to be had, or the
/// process has a log already.
pub fn init(filter: &str, format: Format) -> Result<LogHandle, InitError> {
    let handle = LogHandle::new(LogSettings {
        filter,
        format,
        colour: Colour::for_stderr(),
        output: Box::new(io::stderr()),
    })?;
    let installed = handle.subscriber().try_init();
    installed.map_err(|_| InitError::Installed)?;
    Ok(handle)
}

/// How records are written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One ECS JSON object a line, for machines.
    Json,
    /// Text, for a person at a terminal.
    Pretty,
}

/// What a log is made from, when not by [`init`].
pub struct LogSettings<'a> {
    /// See [`init`].
    pub filter: &'a str,
    /// How records are written.
    pub format: Format,
    /// Whether [`Format::Pretty`] has colours.
    pub colour: Colour,
    /// Where lines go; written to by a thread of its own.
    pub output: Box<dyn Write + Send>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter can't be understood.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The thread that writes could not be started.
    #[error("could not start the thread that writes the log: {0}")]
    Thread(#[from] io::Error),
    /// A process has one log.
    #[error("this process has a log already; initialise it once")]
    Installed,
}

/// The log, for who writes records of guests and for who reads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogHandle(Arc<Pipeline>);

/// Something that a component said.
#[derive(Debug, Clone, Copy)]
pub struct GuestRecord<'a> {
    /// The component's service.
    pub service: &'a str,
    /// Its revision.
    pub revision: u64,
    /// How much it matters.
    pub level: Level,
    /// The context it gave to `wasi:logging`, or the stream it wrote to: `stdout`,
    /// `stderr`.
    pub context: Option<&'a str>,
    /// What it said: any bytes; what is not UTF-8 is replaced, what is longer than
    /// 16 KiB cut.
    pub message: &'a [u8],
    /// The trace of the call it was said in.
    pub trace_id: Option<u128>,
    /// The id of the request that began it.
    pub request_id: Option<&'a str>,
}

/// What all handles share.
#[derive(Debug)]
struct Pipeline {
    rendering: Rendering,
    filter: Targets,
    ring: Ring,
    writer: Writer,
}

/// How a record becomes a line.
#[derive(Debug, Clone, Copy)]
struct Rendering {
    format: Format,
    colour: Colour,
    host: Host,
}

/// The host in records.
#[derive(Debug, Clone, Copy)]
struct Host {
    name: &'static str,
    version: &'static str,
}

const HOST: Host = Host {
    name: pretty::HOST,
    version: env!("CARGO_PKG_VERSION"),
};

// === impl LogHandle ===

impl LogHandle {
    /// A log that is not installed; [`LogHandle::subscriber`] feeds it.
    ///
    /// # Errors
    /// When the filter can't be understood or there is no thread to be had.
    pub fn new(settings: LogSettings<'_>) -> Result<Self, InitError> {
        let filter = filter::parse(settings.filter)?;
        let rendering = Rendering {
            format: settings.format,
            colour: settings.colour,
            host: HOST,
        };
        let notice = Box::new(move |dropped| rendering.dropped_notice(dropped));
        Ok(Self(Arc::new(Pipeline {
            rendering,
            filter,
            ring: Ring::new(ring::LIMITS),
            writer: Writer::new(settings.output, notice)?,
        })))
    }

    /// What turns `tracing` events into records of this log.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        tracing_subscriber::registry()
            .with(self.0.filter.clone())
            .with(EventLayer(Arc::clone(&self.0)))
    }

    /// Whether a record of that service and level would be written, for who wants
    /// to spare the work of making it.
    pub fn guest_enabled(&self, service: &str, level: Level) -> bool {
        let target = format!("guest::{service}");
        self.0.filter.would_enable(&target, &level.for_filter())
    }

    /// Writes what a component said, with its service and revision.
    pub fn guest(&self, record: &GuestRecord<'_>) {
        if self.guest_enabled(record.service, record.level) {
            self.0.emit(&record.to_record(), Origin::Guest);
        }
    }

    /// The records that are still in memory, oldest first, and those to come. None
    /// is lost between the two. Each is a line of ECS JSON without its end.
    pub fn subscribe(&self, filter: LogFilter) -> (Vec<Arc<str>>, Tail) {
        self.0.ring.subscribe(filter)
    }

    /// How many records standard error was too slow for, since the start.
    pub fn dropped(&self) -> u64 {
        self.0.writer.dropped()
    }

    /// Keeps records back, so that [`LogHandle::announce`] can be the first line.
    pub fn hold(&self) {
        self.0.writer.hold();
    }

    /// Writes a plain line before all records that were held, and lets them go.
    pub fn announce(&self, line: &str) {
        self.0.writer.announce(line.into());
    }

    /// Writes out all that waits, held or not; for the end of the process. Blocks
    /// for at most `timeout`, and gives the number of lines that did not get out.
    pub fn flush(&self, timeout: Duration) -> usize {
        self.0.writer.flush(timeout)
    }
}

/// `stoa_log_dropped_total`.
impl Collector for LogHandle {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counter = ConstCounter::new(self.dropped());
        let family = encoder.encode_descriptor(
            "stoa_log_dropped",
            "Log records that standard error was too slow for.",
            None,
            counter.metric_type(),
        )?;
        counter.encode(family)
    }
}

// === impl Pipeline ===

impl Pipeline {
    fn host(&self) -> Host {
        self.rendering.host
    }

    fn emit(&self, record: &Record<'_>, origin: Origin) {
        let json: Arc<str> = ecs::render(record).into();
        let line = match self.rendering.format {
            Format::Json => Arc::clone(&json),
            Format::Pretty => self.rendering.render(record).into(),
        };
        self.ring.push(Entry {
            service: (&*record.service).into(),
            level: record.level,
            line: json,
        });
        self.writer.push(line, origin);
    }
}

// === impl Rendering ===

impl Rendering {
    fn render(&self, record: &Record<'_>) -> String {
        match self.format {
            Format::Json => ecs::render(record),
            Format::Pretty => pretty::render(record, self.host.name, self.colour),
        }
    }

    fn dropped_notice(&self, dropped: u64) -> String {
        let mut fields = Fields::default();
        fields.set("labels.dropped".into(), Value::Unsigned(dropped));
        self.render(&Record {
            timestamp: timestamp().into(),
            level: Level::Warn,
            message: "log records were dropped: standard error was too slow".into(),
            service: self.host.name.into(),
            version: self.host.version.into(),
            logger: module_path!().into(),
            fields,
        })
    }
}

// === impl GuestRecord ===

impl<'a> GuestRecord<'a> {
    fn to_record(self) -> Record<'a> {
        let mut fields = Fields::default();
        if let Some(id) = self.trace_id {
            fields.set("trace.id".into(), Value::Text(format!("{id:032x}")));
        }
        if let Some(id) = self.request_id {
            fields.set("http.request.id".into(), Value::text(id));
        }
        // The end of a line that was printed is no part of what it says.
        let message = self.message.trim_ascii_end();
        Record {
            timestamp: timestamp().into(),
            level: self.level,
            message: clip(String::from_utf8_lossy(message)),
            service: self.service.into(),
            version: self.revision.to_string().into(),
            logger: clip(Cow::Borrowed(self.context.unwrap_or_default())),
            fields,
        }
    }
}

// === impl Format, Colour ===

impl Format {
    /// Text when standard error is a terminal, else JSON.
    pub fn for_stderr() -> Self {
        if io::stderr().is_terminal() {
            Self::Pretty
        } else {
            Self::Json
        }
    }
}

impl Colour {
    /// Colours when standard error is a terminal, unless `NO_COLOR` is set
    /// (<https://no-color.org>).
    pub fn for_stderr() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stderr().is_terminal() && !refused {
            Self::On
        } else {
            Self::Off
        }
    }
}

impl fmt::Debug for LogSettings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSettings")
            .field("filter", &self.filter)
            .field("format", &self.format)
            .field("colour", &self.colour)
            .finish_non_exhaustive()
    }
}
