//! Time zones by their names.

use jiff::tz::{TimeZone, db};

use crate::config::faults::meant;

/// A time zone of the IANA database: the system's, or where there is none, a copy that is
/// built in.
///
/// # Errors
/// What was expected and what was found.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let known: Vec<_> = db().available().map(|known| known.to_string()).collect();
        let look = "names are those of the IANA database";
        let hint = meant(name, known.iter().map(String::as_str), look);
        format!("expected a time zone such as \"Europe/Athens\", found {name:?}{hint}")
    })
}
