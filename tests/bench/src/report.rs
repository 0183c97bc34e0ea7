//! What was found, as a table or as JSON. Knows nothing of how it was measured.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use crate::args::Format;
use crate::stats::Spread;

/// Everything that a run found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How it was measured, in a sentence.
    pub setup: String,
    /// Servers under load, in a fixed order.
    pub servers: Vec<ServerRow>,
    /// Single quantities, in a fixed order.
    pub figures: Vec<Figure>,
    /// What was not measured, and why.
    pub skipped: Vec<String>,
}

/// A server under load.
#[derive(Debug, Serialize)]
pub struct ServerRow {
    /// What served what.
    pub name: String,
    /// Its rate divided by the native one's of the same round.
    pub ratio: Spread,
    /// The ratio to reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
    /// Requests per second.
    pub rate: Spread,
    /// Median latency, in microseconds.
    pub p50_micros: Spread,
    /// 99th percentile of the latency, in microseconds.
    pub p99_micros: Spread,
    /// The server's processor time per request, in microseconds.
    pub cpu_micros: Spread,
}

/// A single quantity.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// Its unit: `µs`, `ms`, `MiB`, `%`; empty for a count.
    pub unit: &'static str,
    /// What was found.
    pub value: Spread,
    /// What to reach, as text: `≤ 10`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<&'static str>,
}

impl Report {
    /// Prints to standard output.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self, format: Format) -> Result<()> {
        let text = match format {
            Format::Markdown => self.to_markdown(),
            Format::Json => serde_json::to_string_pretty(self)? + "\n",
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }

    fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", self.setup);
        if !self.servers.is_empty() {
            text += "\n| server | ratio to native | goal | requests/s | p50 µs | p99 µs | CPU µs a request |\n";
            text += "|---|---|---|---|---|---|---|\n";
            self.servers
                .iter()
                .for_each(|row| text += &row.to_markdown());
        }
        if !self.figures.is_empty() {
            text += "\n| what | median | min–max | goal |\n|---|---|---|---|\n";
            self.figures
                .iter()
                .for_each(|figure| text += &figure.to_markdown());
        }
        if !self.skipped.is_empty() {
            text += "\nNot measured: ";
            text += &self.skipped.join("; ");
            text += ".\n";
        }
        text
    }
}

impl ServerRow {
    fn to_markdown(&self) -> String {
        let Spread {
            median, min, max, ..
        } = self.ratio;
        let goal = self
            .goal
            .map(|goal| format!("≥ {goal:.2}"))
            .unwrap_or_default();
        format!(
            "| {} | {median:.2} ({min:.2}–{max:.2}) | {goal} | {} | {} | {} | {} |\n",
            self.name,
            digits(self.rate.median),
            digits(self.p50_micros.median),
            digits(self.p99_micros.median),
            digits(self.cpu_micros.median),
        )
    }
}

impl Figure {
    fn to_markdown(&self) -> String {
        let Spread {
            median, min, max, ..
        } = self.value;
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            format!(" {}", self.unit)
        };
        let goal = self
            .goal
            .map(|goal| format!("{goal}{unit}"))
            .unwrap_or_default();
        format!(
            "| {} | {}{unit} | {}–{} | {goal} |\n",
            self.name,
            digits(median),
            digits(min),
            digits(max)
        )
    }
}

/// A line for whoever waits, on standard error.
pub fn say(line: &str) {
    // Nobody may be listening: the result goes to standard output.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// As many decimals as carry meaning, and thin groups of thousands.
fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => grouped(value.round() as i64),
        large if large >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        large if large >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(samples: &[f64]) -> Spread {
        Spread::of(samples.to_vec()).unwrap()
    }

    #[test]
    fn numbers_show_what_they_mean() {
        let shown = [0.0, 0.123, 7.0, 12.34, 123.4, 1234.5, -1_234_567.0].map(digits);
        assert_eq!(
            shown,
            ["0", "0.12", "7", "12.3", "123", "1 235", "-1 234 567"]
        );
    }

    #[test]
    fn a_report_is_two_tables_and_what_was_skipped() {
        let row = ServerRow {
            name: "Stoa: hello".to_owned(),
            ratio: spread(&[0.5, 0.75, 0.7]),
            goal: Some(0.7),
            rate: spread(&[70_000.0]),
            p50_micros: spread(&[440.0]),
            p99_micros: spread(&[810.0]),
            cpu_micros: spread(&[11.25]),
        };
        let figure = Figure {
            name: "rollback".to_owned(),
            unit: "ms",
            value: spread(&[2.5]),
            goal: Some("≤ 10"),
        };
        let report = Report {
            setup: "Two cores.".to_owned(),
            servers: vec![row],
            figures: vec![figure],
            skipped: vec!["wasmtime serve: not installed".to_owned()],
        };
        let text = report.to_markdown();
        assert!(text.starts_with("Two cores.\n"));
        assert!(
            text.contains(
                "| Stoa: hello | 0.70 (0.50–0.75) | ≥ 0.70 | 70 000 | 440 | 810 | 11.2 |\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("| rollback | 2.50 ms | 2.50–2.50 | ≤ 10 ms |\n"),
            "{text}"
        );
        assert!(
            text.ends_with("\nNot measured: wasmtime serve: not installed.\n"),
            "{text}"
        );
    }
}
