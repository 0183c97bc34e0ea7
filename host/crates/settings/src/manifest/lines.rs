//! Where in a manifest the keys of a setting stand.
//!
//! What settings may say is checked where they are, for all who write them; here a
//! fault gets its line.

use std::ops::Range;

use super::route::split_key;
use crate::SettingFault;
use crate::config::document::Entry;

/// Notes faults of the settings that were read from an entry.
pub fn tell(entry: &mut Entry<'_, '_>, faults: Vec<SettingFault>) {
    for fault in faults {
        let place = place(entry, &fault);
        entry.document.fault(place, fault.to_string());
    }
}

/// The place of the last key of a fault that the manifest has: a value may be short for
/// a table, or be there by default.
fn place(entry: &Entry<'_, '_>, fault: &SettingFault) -> Range<usize> {
    let mut place = entry.key.span();
    let mut table = entry.value.get_ref().as_table();
    for key in fault.keys() {
        let entries = || table.into_iter().flatten();
        let exactly = entries().find(|(found, _)| found.get_ref() == key);
        // Routes have one spelling in settings.
        let Some((found, value)) = exactly
            .or_else(|| entries().find(|(found, _)| split_key(found.get_ref()).key() == key))
        else {
            break;
        };
        place = found.span();
        table = value.get_ref().as_table();
    }
    place
}
