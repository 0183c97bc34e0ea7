//! One core for the server, another for the load; and what a process used.
//!
//! Pins by `taskset`, so that no unsafe code is needed. Linux only, like `/proc`.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::report::say;

/// `/proc` counts processor time in ticks of this length: `USER_HZ` is 100 on
/// every architecture's ABI.
pub const TICK: Duration = Duration::from_millis(10);

/// Above this, something else works on the machine. The load average is what it
/// was over the last minute.
const QUIET: f64 = 0.5;

/// Which core does what.
#[derive(Debug, Clone, Copy)]
pub enum Cores {
    /// The server has the one, the load the other.
    Apart {
        /// The server's.
        server: usize,
        /// This process's.
        client: usize,
    },
    /// They share what there is: ratios are not comparable with other machines'.
    Shared,
}

impl Cores {
    /// Chooses two cores that this process may use, and moves it to the second.
    ///
    /// # Errors
    /// `/proc` can't be read.
    pub fn claim() -> Result<Self> {
        warn_if_busy();
        let status =
            fs::read_to_string("/proc/self/status").context("reading the allowed cores")?;
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .unwrap_or_default();
        let &[server, client, ..] = parse_cores(allowed).as_slice() else {
            say("note: one core only; server and load share it");
            return Ok(Self::Shared);
        };
        let pinned = Command::new("taskset")
            .args(["-cp", &client.to_string(), &std::process::id().to_string()])
            .stdout(Stdio::null())
            .status();
        if !pinned.is_ok_and(|status| status.success()) {
            say("note: `taskset` (util-linux) did not work; server and load are not pinned");
            return Ok(Self::Shared);
        }
        Ok(Self::Apart { server, client })
    }

    /// A command that runs on the server's core, with as many workers.
    pub fn on_server(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Apart { server, .. } => taskset(&server.to_string(), program.as_ref()),
            Self::Shared => Command::new(program),
        };
        command.env("TOKIO_WORKER_THREADS", "1");
        command
    }

    /// A command that runs where the scheduler likes.
    pub fn anywhere(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Apart { server, client } => {
                taskset(&format!("{server},{client}"), program.as_ref())
            }
            Self::Shared => Command::new(program),
        }
    }
}

fn warn_if_busy() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load
        .split(' ')
        .next()
        .and_then(|text| text.parse::<f64>().ok());
    if let Some(load) = load.filter(|load| *load > QUIET) {
        say(&format!(
            "note: the machine is busy (load average {load}); expect wide spreads"
        ));
    }
}

fn taskset(cores: &str, program: &OsStr) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program);
    command
}

/// Processor time of a process and its threads so far, user and system.
///
/// # Errors
/// It has ended.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("reading the server's processor time")?;
    let ticks = parse_ticks(&stat).context("expected utime and stime in /proc/PID/stat")?;
    Ok(TICK * ticks)
}

/// Processor time of this process and of those that it ran and waited for (`wrk`).
///
/// # Errors
/// `/proc` can't be read.
pub fn driver_time() -> Result<Duration> {
    let stat =
        fs::read_to_string("/proc/self/stat").context("reading the driver's processor time")?;
    let times = times(&stat).context("expected four times in /proc/self/stat")?;
    Ok(TICK * times.iter().sum::<u32>())
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// It has ended.
pub fn resident(pid: u32) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("reading the server's memory")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"))
        .and_then(|text| text.trim().parse::<u64>().ok())
        .context("expected VmRSS in /proc/PID/status")?;
    Ok(kib * 1024)
}

/// `0-1,4` → 0, 1, 4.
fn parse_cores(list: &str) -> Vec<usize> {
    list.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .flatten()
        .collect()
}

/// utime + stime.
fn parse_ticks(stat: &str) -> Option<u32> {
    times(stat)?.get(..2).map(|own| own.iter().sum())
}

/// utime, stime, and both of the children that ended. The second field before them
/// is the program's name and may hold anything.
fn times(stat: &str) -> Option<Vec<u32>> {
    let fields = stat
        .rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .skip(11)
        .take(4);
    fields.map(|field| field.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_lists_are_ranges_and_numbers() {
        assert_eq!(parse_cores("\t0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(parse_cores("7"), [7]);
        assert_eq!(parse_cores(""), [0_usize; 0]);
    }

    #[test]
    fn processor_time_survives_a_strange_name() {
        assert_eq!(
            parse_ticks("42 (a) b) S 1 1 1 0 -1 4 0 0 0 0 120 30 0 0"),
            Some(150)
        );
        assert_eq!(parse_ticks("42 (a"), None);
    }

    #[test]
    fn this_process_has_time_and_memory() {
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(resident(std::process::id()).unwrap() > 0);
    }
}
