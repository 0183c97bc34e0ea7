//! What a section may say: a table of its keys, each once, beside how it is read.
//!
//! A new key is a line in its section's table and a field of the settings.

use crate::config::document::Entry;

/// The keys of a section, and how the value of each gets into the settings.
pub struct Keys<T: 'static>(pub &'static [(&'static str, Read<T>)]);

/// Reads the value of an entry.
pub type Read<T> = fn(&mut T, &mut Entry<'_, '_>);

impl<T> Keys<T> {
    /// Whether the section has a key of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }
}

impl Entry<'_, '_> {
    /// Reads it, if it is one of these keys.
    pub fn read<T>(&mut self, into: &mut T, keys: &Keys<T>) {
        match keys.0.iter().find(|(known, _)| *known == self.name()) {
            Some((_, read)) => read(into, self),
            None => self.unknown(keys),
        }
    }

    /// Notes that its section has no such key, but these.
    pub fn unknown<T>(&mut self, keys: &Keys<T>) {
        let known: Vec<_> = keys.0.iter().map(|(known, _)| *known).collect();
        self.document.unknown(self.key, self.section, &known);
    }

    /// Reads its table, which is a section below its own.
    pub fn section<T>(&mut self, into: &mut T, keys: &Keys<T>) {
        let section = self.below();
        self.each(&section, |entry| entry.read(into, keys));
    }

    /// Reads its table, which stands in one line: `{ key = "required", window = "1h" }`.
    pub fn inline<T>(&mut self, into: &mut T, keys: &Keys<T>) {
        self.each(self.key.get_ref(), |entry| entry.read(into, keys));
    }
}
