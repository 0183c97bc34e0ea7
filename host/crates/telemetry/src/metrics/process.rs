//! The process' own figures, under the names that all Prometheus clients use.
//!
//! Read from `/proc` at each scrape; where there is none (not Linux) the families
//! that need it are left out.

use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::described::Described;

/// Collects them.
#[derive(Debug)]
pub(super) struct Process {
    /// Seconds since 1970.
    started: f64,
}

/// `/proc/self/stat` counts in ticks of 10 ms: Linux fixes `USER_HZ` to 100 for
/// programs on every architecture that Rust's Linux targets have.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Also notes when the process started.
    pub(super) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // Made at the start of the process, so its own start is a fair stand-in.
        let now = now.unwrap_or(Duration::ZERO).as_secs_f64();
        Self {
            started: started().unwrap_or(now),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(cpu) = cpu_seconds() {
            let counter = ConstCounter::new(cpu);
            CPU.encode(&mut encoder, &counter)?;
        }
        if let Some(bytes) = resident_bytes() {
            let gauge = ConstGauge::new(bytes);
            MEMORY.encode(&mut encoder, &gauge)?;
        }
        if let Some(count) = open_files() {
            let gauge = ConstGauge::new(count);
            FILES.encode(&mut encoder, &gauge)?;
        }
        let gauge = ConstGauge::new(self.started);
        START.encode(&mut encoder, &gauge)
    }
}

const CPU: Described = Described {
    name: "process_cpu",
    help: "User and system CPU time spent.",
    unit: Some(Unit::Seconds),
};
const MEMORY: Described = Described {
    name: "process_resident_memory",
    help: "Resident memory.",
    unit: Some(Unit::Bytes),
};
const FILES: Described = Described {
    name: "process_open_fds",
    help: "Open file descriptors.",
    unit: None,
};
const START: Described = Described {
    name: "process_start_time",
    help: "Start of the process, since 1970.",
    unit: Some(Unit::Seconds),
};

fn started() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let boot: f64 = boot.trim().parse().ok()?;
    Some(boot + own_stat(22)? / TICKS_PER_SECOND)
}

fn cpu_seconds() -> Option<f64> {
    Some((own_stat(14)? + own_stat(15)?) / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn open_files() -> Option<u64> {
    // The descriptor that lists the directory is among them.
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(listed.saturating_sub(1) as u64)
}

/// A field of `/proc/self/stat`, numbered from 1 as in proc(5); from 3 on.
fn own_stat(field: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Field 2 is the program's name in parentheses, and may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(field - 3)?.parse().ok()
}
