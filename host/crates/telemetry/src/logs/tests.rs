use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tracing::subscriber::with_default;

use super::*;

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `run` makes the log write, line by line, in that format.
fn lines_of(filter: &str, format: Format, run: impl FnOnce(&LogHandle)) -> Vec<String> {
    let output = Output::default();
    let handle = LogHandle::new(LogSettings {
        filter,
        format,
        colour: Colour::Off,
        output: Box::new(output.clone()),
    });
    let handle = handle.unwrap();
    with_default(handle.subscriber(), || run(&handle));
    assert_eq!(handle.flush(Duration::from_secs(60)), 0);
    let written = output.0.lock().unwrap();
    let text = std::str::from_utf8(&written).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn records_of(filter: &str, run: impl FnOnce(&LogHandle)) -> Vec<Value> {
    let lines = lines_of(filter, Format::Json, run);
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// `record` without its time, which is checked to be one.
fn without_time(mut record: Value) -> Value {
    let time = record["@timestamp"].take();
    let time = time.as_str().unwrap();
    assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
    assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
    record.as_object_mut().unwrap().remove("@timestamp");
    record
}

const GUEST: GuestRecord<'_> = GuestRecord {
    service: "product",
    revision: 3,
    level: Level::Info,
    context: None,
    message: b"",
    trace_id: None,
    request_id: None,
};

#[test]
fn a_host_event_is_an_ecs_record() {
    let records = records_of("info", |_| {
        tracing::warn!(
            target: "stoa::gateway",
            {
                trace.id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128,
                http.request.method = "GET",
                http.response.status_code = 504,
                event.duration = 1_500_000_u64,
                attempts = 2_u8,
                cached = false,
                ratio = 0.5,
                lost = f64::NAN,
                address = %"127.0.0.1:8080"
            },
            "answered {}", "late"
        );
    });
    let expected = json!({
        "log.level": "warn",
        "message": "answered late",
        "ecs.version": "8.11.0",
        "service.name": "stoa",
        "service.version": env!("CARGO_PKG_VERSION"),
        "log.logger": "stoa::gateway",
        "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "http.request.method": "GET",
        "http.response.status_code": 504,
        "event.duration": 1_500_000,
        "labels.attempts": 2,
        "labels.cached": false,
        "labels.ratio": 0.5,
        "labels.lost": "NaN",
        "labels.address": "127.0.0.1:8080",
    });
    assert_eq!(records.len(), 1);
    assert_eq!(without_time(records[0].clone()), expected);
}

#[test]
fn the_first_members_are_in_the_order_of_the_specification() {
    let lines = lines_of("info", Format::Json, |_| tracing::info!("up"));
    let place = |name: &str| lines[0].find(name).unwrap();
    assert_eq!(place("\"@timestamp\""), 1);
    assert!(place("\"@timestamp\"") < place("\"log.level\""));
    assert!(place("\"log.level\"") < place("\"message\""));
    assert!(place("\"message\"") < place("\"ecs.version\""));
}

#[test]
fn fields_of_spans_are_inherited_and_overridden() {
    let records = records_of("info", |_| {
        let outer = tracing::info_span!(
            "request",
            http.request.id = "r1",
            step = "outer",
            later = tracing::field::Empty
        );
        let _outer = outer.enter();
        outer.record("later", 7);
        let _inner = tracing::info_span!("call", step = "inner").entered();
        tracing::info!(
            service.name = "product",
            service.version = 3,
            step = "event",
            "called"
        );
    });
    let record = &records[0];
    assert_eq!(record["http.request.id"], "r1");
    assert_eq!(record["labels.later"], 7);
    assert_eq!(record["labels.step"], "event");
    assert_eq!(record["service.name"], "product");
    assert_eq!(record["service.version"], "3");
}

#[test]
fn the_hosts_version_is_no_services() {
    let records = records_of("info", |_| tracing::info!(service.name = "product", "gone"));
    assert_eq!(records[0]["service.name"], "product");
    assert!(records[0].get("service.version").is_none());
}

#[test]
fn a_field_cannot_take_a_place_of_the_record() {
    let lines = lines_of("info", Format::Json, |_| {
        tracing::info!(log.level = "fake", ecs.version = "0", "true");
    });
    for name in ["\"log.level\":", "\"ecs.version\":", "\"message\":"] {
        assert_eq!(lines[0].matches(name).count(), 1, "{}", lines[0]);
    }
    let record: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(record["labels.log_level"], "fake");
}

#[test]
fn an_error_comes_with_its_causes() {
    let cause = "loud".parse::<Level>().unwrap_err();
    let error = InitError::Thread(io::Error::other(cause.clone()));
    let records = records_of("info", |_| {
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::error!(error, "failed");
    });
    let text = records[0]["labels.error"].as_str().unwrap();
    assert!(text.starts_with("could not start the thread"), "{text}");
    assert!(text.ends_with(&cause.to_string()), "{text}");
}

#[test]
fn a_guest_record_is_in_the_same_stream() {
    let records = records_of("info", |handle| {
        tracing::info!("host");
        handle.guest(&GuestRecord {
            level: Level::Critical,
            context: Some("inventory"),
            message: b"out of stock\r\n",
            trace_id: Some(1),
            request_id: Some("r1"),
            ..GUEST
        });
    });
    let expected = json!({
        "log.level": "critical",
        "message": "out of stock",
        "ecs.version": "8.11.0",
        "service.name": "product",
        "service.version": "3",
        "log.logger": "inventory",
        "trace.id": "00000000000000000000000000000001",
        "http.request.id": "r1",
    });
    assert_eq!(records[0]["service.name"], "stoa");
    assert_eq!(without_time(records[1].clone()), expected);
}

#[test]
fn no_bytes_of_a_guest_break_a_line() {
    let bytes: Vec<u8> = (0..=255).chain("\r\n\u{2028}\u{85}é".bytes()).collect();
    let records = records_of("info", |handle| {
        handle.guest(&GuestRecord {
            message: &bytes,
            ..GUEST
        });
    });
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["message"], *String::from_utf8_lossy(&bytes));

    let lines = lines_of("info", Format::Pretty, |handle| {
        handle.guest(&GuestRecord {
            message: &bytes,
            ..GUEST
        });
    });
    assert!(
        lines.iter().all(|line| !line.contains(char::is_control)),
        "{lines:?}"
    );
}

#[test]
fn a_forged_record_in_a_message_is_seen_as_part_of_it() {
    let message = b"fine\n12:00:00.000 ERROR stoa::gateway all is lost";
    let lines = lines_of("info", Format::Pretty, |handle| {
        handle.guest(&GuestRecord {
            message,
            context: Some("a\nb"),
            ..GUEST
        });
    });
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].ends_with(" INFO product@3 a⏎b fine"),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("             │ 12:00"), "{}", lines[1]);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let message = "é".repeat(record::TEXT_LIMIT);
    let records = records_of("info", |handle| {
        handle.guest(&GuestRecord {
            message: message.as_bytes(),
            ..GUEST
        });
        tracing::info!(field = message, "short");
    });
    for text in [&records[0]["message"], &records[1]["labels.field"]] {
        let text = text.as_str().unwrap();
        assert!(text.ends_with(&format!("é… ({} bytes cut)", record::TEXT_LIMIT)));
    }
}

#[test]
fn the_filter_holds_for_host_and_guests() {
    let filter = "warn,stoa::mesh=debug,guest::product=debug";
    let records = records_of(filter, |handle| {
        tracing::info!(target: "stoa::gateway", "no");
        tracing::debug!(target: "stoa::mesh", "1");
        handle.guest(&GuestRecord {
            level: Level::Trace,
            message: b"no",
            ..GUEST
        });
        handle.guest(&GuestRecord {
            level: Level::Debug,
            message: b"2",
            ..GUEST
        });
        handle.guest(&GuestRecord {
            service: "order",
            message: b"no",
            ..GUEST
        });
    });
    let messages: Vec<_> = records.iter().map(|record| &record["message"]).collect();
    assert_eq!(messages, ["1", "2"]);
}

#[test]
fn readers_get_json_whatever_the_format() {
    lines_of("info", Format::Pretty, |handle| {
        handle.guest(&GuestRecord {
            message: b"1",
            ..GUEST
        });
        tracing::info!("of the host");
        let filter = LogFilter {
            service: Some("product".to_owned()),
            ..LogFilter::default()
        };
        let (recent, mut tail) = handle.subscribe(filter);
        handle.guest(&GuestRecord {
            message: b"2",
            ..GUEST
        });
        let message = |line: &str| serde_json::from_str::<Value>(line).unwrap()["message"].clone();
        assert_eq!(recent.len(), 1);
        assert_eq!(message(&recent[0]), "1");
        match futures::executor::block_on(tail.next()) {
            Some(Tailed::Record(line)) => assert_eq!(message(&line), "2"),
            other => panic!("expected a record, found {other:?}"),
        }
    });
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    let settings = LogSettings {
        filter: "loud",
        format: Format::Json,
        colour: Colour::Off,
        output: Box::new(io::sink()),
    };
    let error = LogHandle::new(settings).unwrap_err().to_string();
    assert!(error.contains("\"loud\""), "{error}");
}

#[test]
fn dropped_records_are_a_metric() {
    let settings = LogSettings {
        filter: "info",
        format: Format::Json,
        colour: Colour::Off,
        output: Box::new(io::sink()),
    };
    let telemetry = crate::Telemetry::new(LogHandle::new(settings).unwrap());
    let scrape = telemetry.metrics.encode();
    assert!(scrape.contains("\nstoa_log_dropped_total 0\n"), "{scrape}");
}
