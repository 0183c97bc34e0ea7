//! What commands print: results to standard output, everything else to standard
//! error.
//!
//! The only place that writes to them. A reader that went away is not a failure,
//! and text from a host or a component can't steer the terminal.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

/// Letters of a table's cell that are shown: longer ones hide the others.
const LONGEST_CELL: usize = 400;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON, for programs; one document a line where there are several.
    Json,
    /// Aligned columns, for people.
    Table,
}

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
    colour: bool,
}

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct Closed;

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    /// Done.
    Good,
    /// Of less weight.
    Quiet,
    /// A column's name.
    Head,
}

impl Output {
    /// Results in this format; coloured on a terminal, unless `NO_COLOR` is set.
    pub fn new(format: Format) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { format, colour }
    }

    /// Whether programs read the results.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether text may be coloured.
    pub fn is_coloured(self) -> bool {
        self.colour
    }

    /// One value: as JSON, or as the rows of a table.
    pub fn table<const N: usize>(
        self,
        value: &impl Serialize,
        heads: [&str; N],
        rows: Vec<[String; N]>,
    ) -> anyhow::Result<()> {
        if self.is_json() {
            return self.json(value);
        }
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| row.map(|cell| clean(&cut(cell))))
            .collect();
        let heads_row = heads.map(str::to_owned);
        let width = |column: usize| {
            let rows = rows.iter().chain([&heads_row]);
            rows.map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; N] = std::array::from_fn(width);
        self.line(&self.paint(Tone::Head, &columns(&heads_row, &widths)))?;
        rows.iter()
            .try_for_each(|row| self.line(&columns(row, &widths)))
    }

    /// One document.
    pub fn json(self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(&serde_json::to_string_pretty(value)?)
    }

    /// One document of several, on a line of its own.
    pub fn json_line(self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// Text that a host or a component wrote.
    pub fn foreign(self, text: &str) -> anyhow::Result<()> {
        self.line(&clean(text.trim_end()))
    }

    /// Lines under a head; nothing where there are none.
    pub fn section(self, head: &str, lines: &[String]) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.line(&self.paint(Tone::Head, head))?;
        lines
            .iter()
            .try_for_each(|line| self.foreign(&format!("  {line}")))
    }

    /// A line of our own.
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        written.map_err(|fault| match fault.kind() {
            io::ErrorKind::BrokenPipe => Closed.into(),
            _ => anyhow::Error::new(fault).context("standard output can't be written"),
        })
    }

    /// What is worth knowing, but no result.
    pub fn note(self, text: &str) {
        stderr(text);
    }

    /// Text in its colour.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => 32,
            Tone::Quiet => 2,
            Tone::Head => 1,
        };
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Tells why a command failed.
pub fn error(text: &str) {
    stderr(&format!("error: {}", clean(text)));
}

/// A time as people compare it: `850 µs`, `1.2 ms`, `3.4 s`.
pub struct Took(pub Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let text = match micros {
            0..1_000 => format!("{micros} µs"),
            1_000..1_000_000 => format!("{:.1} ms", self.0.as_secs_f64() * 1e3),
            _ => format!("{:.1} s", self.0.as_secs_f64()),
        };
        f.pad(&text)
    }
}

/// A size as people write and compare it: `512 B`, `1.2 MiB`, `128 MiB`.
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..1_024 => (1, "B"),
            1_024..1_048_576 => (1 << 10, "KiB"),
            1_048_576..1_073_741_824 => (1 << 20, "MiB"),
            _ => (1 << 30, "GiB"),
        };
        f.pad(&if self.0.is_multiple_of(unit) {
            format!("{} {name}", self.0 / unit)
        } else {
            format!("{:.1} {name}", self.0 as f64 / unit as f64)
        })
    }
}

/// The first letters of a digest: enough to tell two apart.
pub fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn columns<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let cells = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A cell of a readable length, which says how long it would be.
fn cut(cell: String) -> String {
    match cell.char_indices().nth(LONGEST_CELL) {
        None => cell,
        Some((end, _)) => {
            let length = cell.chars().count();
            format!("{}… ({length} characters: -o json shows all)", &cell[..end])
        }
    }
}

/// Standard error may be closed too, and then there is nobody left to tell.
fn stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text without what steers a terminal.
fn clean(text: &str) -> String {
    let safe = |c: char| c == '\n' || c == '\t' || !c.is_control();
    text.chars()
        .map(|c| if safe(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        let took = |micros| Took(Duration::from_micros(micros)).to_string();
        assert_eq!(
            [took(850), took(1_250), took(3_400_000)],
            ["850 µs", "1.2 ms", "3.4 s"]
        );
        assert_eq!(format!("[{:>8}]", Took(Duration::ZERO)), "[    0 µs]");
        assert_eq!(
            [512, 1536, 3 << 20, 128 << 20, (3 << 20) + 400_000, 3 << 29]
                .map(|s| Size(s).to_string()),
            ["512 B", "1.5 KiB", "3 MiB", "128 MiB", "3.4 MiB", "1.5 GiB"]
        );
    }

    #[test]
    fn columns_align_by_letters_and_not_by_bytes() {
        let widths = [4, 3];
        assert_eq!(columns(&["ä".into(), "b".into()], &widths), "ä     b");
        assert_eq!(columns(&["long".into(), "".into()], &widths), "long");
    }

    #[test]
    fn a_long_cell_is_cut_and_says_how_long_it_is() {
        let (fits, long) = ("ä".repeat(LONGEST_CELL), "ä".repeat(100_000));
        assert_eq!(cut(fits.clone()), fits);
        let told = format!("{fits}… (100000 characters: -o json shows all)");
        assert_eq!(cut(long.clone()), told);
        let shown = Output::new(Format::Table).table(&(), ["VALUE"], vec![[long]]);
        assert!(shown.is_ok(), "{shown:?}");
    }

    #[test]
    fn foreign_text_does_not_steer_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\r\nc\td"), "a\u{fffd}[2Jb\u{fffd}\nc\td");
    }
}
