//! How much disk something takes.

use std::fs;
use std::path::Path;

/// Bytes of all files in a folder and below. What goes meanwhile counts as nothing.
pub fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_below_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("a"), "12345").unwrap();
        fs::write(folder.path().join("below/b"), "123").unwrap();
        assert_eq!(bytes_in(folder.path()), 8);
        assert_eq!(bytes_in(&folder.path().join("none")), 0);
    }
}
