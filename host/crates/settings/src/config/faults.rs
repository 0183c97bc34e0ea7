//! What is wrong with settings that somebody wrote, all of it at once.
//!
//! A reader of settings goes on after a fault, so that one attempt shows
//! everything there is to mend. Knows nothing of what the settings mean.

use std::fmt;

/// Faults in the order they are worth reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// One thing to mend, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A file, a variable of the environment, or a flag.
    pub origin: String,
    /// Line of the file, from 1.
    pub line: Option<usize>,
    /// What was expected, what was found, what to do.
    pub message: String,
}

impl Faults {
    /// Adds a fault that has no line.
    pub fn add(&mut self, origin: impl Into<String>, message: impl Into<String>) {
        self.push(Fault {
            origin: origin.into(),
            line: None,
            message: message.into(),
        });
    }

    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Takes over the faults of another reader, by line.
    pub fn append(&mut self, mut other: Self) {
        other.0.sort_by_key(|fault| fault.line);
        self.0.append(&mut other.0);
    }

    /// The value, if nothing was wrong with what it was read from.
    ///
    /// # Errors
    /// The faults, if there is one.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// The single faults.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.origin, self.message),
            None => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

impl std::error::Error for Faults {}

/// The known name that a misspelt one most likely means.
///
/// Half of the letters must agree: a guess beyond that sends people astray.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| distance * 2 <= known.len().max(name.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// What follows the name of something that is not there: which one was most likely
/// meant, or else where to `look`.
pub fn meant<'k>(name: &str, known: impl IntoIterator<Item = &'k str>, look: &str) -> String {
    match nearest(name, known) {
        Some(known) => format!(": did you mean {known:?}?"),
        None => format!("; {look}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_noise_finds_none() {
        let known = ["component", "build", "watch"];
        assert_eq!(nearest("componnet", known), Some("component"));
        assert_eq!(nearest("biuld", known), Some("build"));
        assert_eq!(nearest("zzzzzz", known), None);
    }

    #[test]
    fn faults_of_a_file_come_by_line_after_earlier_ones() {
        let mut faults = Faults::default();
        faults.add("--listen", "first");
        let mut file = Faults::default();
        for line in [7, 2] {
            file.push(Fault {
                origin: "a.toml".into(),
                line: Some(line),
                message: "x".into(),
            });
        }
        faults.append(file);
        assert_eq!(
            faults.to_string(),
            "--listen: first\na.toml:2: x\na.toml:7: x"
        );
    }
}
