//! Whether something else worked on the machine while a round was measured.
//!
//! A disturbed round says nothing and is taken again, so long as there are
//! retakes. What decides is the time that other processes had on the two cores,
//! never the round's result: a server that stalls, or fails, is not disturbed.

use std::cell::Cell;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cores::{Cores, TICK, cpu_time, driver_time};
use crate::report::say;

/// Above this share of one core, in per cent, a round is disturbed. Clocks of ticks
/// and timers of the kernel stay below it.
const TOLERATED: f64 = 5.0;

/// A build takes about as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Enough ticks to tell a share of a few per cent.
const LOOK: Duration = Duration::from_secs(1);

/// Takes rounds, disturbed ones again.
pub struct Quiet<'a> {
    cores: &'a Cores,
    left: Cell<u32>,
    retaken: Cell<u32>,
    kept: Cell<u32>,
}

impl<'a> Quiet<'a> {
    /// With so many retakes for all rounds together.
    pub fn new(cores: &'a Cores, retakes: u32) -> Self {
        Self {
            cores,
            left: Cell::new(retakes),
            retaken: Cell::new(0),
            kept: Cell::new(0),
        }
    }

    /// Measures a round; `servers` are the processes that it is about.
    ///
    /// # Errors
    /// Those of `round`, at once: a failure is never taken again.
    pub fn round<T>(&self, servers: &[u32], mut round: impl FnMut() -> Result<T>) -> Result<T> {
        let Cores::Apart { server, client } = *self.cores else {
            return round();
        };
        loop {
            let start = Instant::now();
            let before = others(&[server, client], servers)?;
            let found = round()?;
            let others = others(&[server, client], servers)? - before;
            let share = 100.0 * others / start.elapsed().as_secs_f64();
            say(&format!(
                "other processes meanwhile: {share:.0} % of a core"
            ));
            if share <= TOLERATED {
                return Ok(found);
            }
            if self.left.get() == 0 {
                self.kept.set(self.kept.get() + 1);
                return Ok(found);
            }
            self.left.set(self.left.get() - 1);
            self.retaken.set(self.retaken.get() + 1);
            wait_for_quiet(&[server, client], servers)?;
        }
    }

    /// What to tell of it; empty where nothing disturbed.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        if self.retaken.get() > 0 {
            text += &format!(
                " {} disturbed measurements were taken again.",
                self.retaken.get()
            );
        }
        if self.kept.get() > 0 {
            text += &format!(
                " {} measurements are DISTURBED by other processes and say little.",
                self.kept.get()
            );
        }
        text
    }
}

/// Waits until nobody else works, not longer than [`PATIENCE`]: measuring beside a
/// build wastes the time of both.
fn wait_for_quiet(cores: &[usize], servers: &[u32]) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let (begin, before) = (Instant::now(), others(cores, servers)?);
        thread::sleep(LOOK);
        let share = 100.0 * (others(cores, servers)? - before) / begin.elapsed().as_secs_f64();
        if share <= TOLERATED {
            break;
        }
    }
    Ok(())
}

/// Seconds that processes other than these and the driver had on the cores so far.
fn others(cores: &[usize], servers: &[u32]) -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat").context("reading the cores' time")?;
    let ticks = cores
        .iter()
        .map(|core| busy_ticks(&stat, *core))
        .sum::<Option<u64>>();
    let ticks = ticks.context("expected a line for each core in /proc/stat")?;
    let mut seconds = ticks as f64 * TICK.as_secs_f64() - driver_time()?.as_secs_f64();
    for server in servers {
        seconds -= cpu_time(*server)?.as_secs_f64();
    }
    Ok(seconds)
}

/// All of a core's time but idle and waiting. Interrupts belong to it: the kernel
/// counts the loopback's apart here, but within a process's own time there; left
/// out, they would hide as much work of others.
fn busy_ticks(stat: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let fields: Vec<u64> = line
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    [0, 1, 2, 5, 6, 7]
        .iter()
        .map(|index| fields.get(*index))
        .sum()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn busy_time_is_all_but_idle_and_waiting() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 2 5 900 3 40 50 7 0 0\ncpu10 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy_ticks(stat, 0), Some(114));
        assert_eq!(busy_ticks(stat, 10), Some(6));
        assert_eq!(busy_ticks(stat, 1), None);
    }

    #[test]
    fn a_failure_is_not_taken_again() {
        let cores = Cores::Apart {
            server: 0,
            client: 0,
        };
        let quiet = Quiet::new(&cores, 5);
        let mut times = 0;
        let result: Result<()> = quiet.round(&[], || {
            times += 1;
            bail!("503")
        });
        assert!(result.is_err());
        assert_eq!((times, quiet.describe().as_str()), (1, ""));
    }

    #[test]
    fn the_report_tells_what_was_taken_again_and_what_was_kept() {
        let quiet = Quiet::new(&Cores::Shared, 0);
        quiet.retaken.set(2);
        quiet.kept.set(1);
        let text = quiet.describe();
        assert!(
            text.contains("2 disturbed measurements were taken again")
                && text.contains("1 measurements are DISTURBED"),
            "{text}"
        );
    }
}
