//! README.md and the manual, as tests read them.

use std::fs;
use std::path::{Path, PathBuf};

/// A page: README.md, or one of `host/docs`.
pub struct Page {
    /// Its place below the checkout.
    pub file: PathBuf,
    /// All of it.
    pub text: String,
}

/// A fenced block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// What the fence names.
    pub language: String,
    /// The comment before it: `tour: file Cargo.toml`.
    pub marker: Option<String>,
    /// The line that it begins with, in the page; the first is 1.
    pub line: usize,
    /// What is in it, without the indent of its fence.
    pub text: String,
}

/// The checkout.
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests are in a checkout").to_owned()
}

/// README.md and the pages of the manual.
pub fn pages() -> Vec<Page> {
    let manual = checkout().join("host/docs");
    let entries = fs::read_dir(&manual).expect("the manual is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let mut files: Vec<_> = names
        .map(|name| Path::new("host/docs").join(name))
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files.push("README.md".into());
    files.into_iter().map(Page::read).collect()
}

// === impl Page ===

impl Page {
    /// Reads the page of this place below the checkout.
    pub fn read(file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        let text = fs::read_to_string(checkout().join(&file));
        let text = text.unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        Self { file, text }
    }

    /// A page that is nowhere, as if it were in the manual.
    pub fn of(text: &str) -> Self {
        let (file, text) = ("host/docs/made-up.md".into(), text.to_owned());
        Self { file, text }
    }

    /// Its blocks of this language.
    pub fn blocks(&self, language: &str) -> Vec<Block> {
        let (_, mut blocks) = self.parts();
        blocks.retain(|block| block.language == language);
        blocks
    }

    /// Its lines outside of blocks, with their numbers.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        self.parts().0
    }

    /// Where a line of it is.
    pub fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.file.display())
    }

    fn parts(&self) -> (Vec<(usize, &str)>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::<(usize, &str)>::new(), Vec::new());
        let mut open: Option<(Block, usize)> = None;
        for (number, line) in (1..).zip(self.text.lines()) {
            let content = line.trim_start();
            match (content.strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    let block = Block {
                        language: language.trim().to_owned(),
                        marker: prose.last().and_then(|(_, line)| comment(line)),
                        line: number,
                        text: String::new(),
                    };
                    open = Some((block, line.len() - content.len()));
                }
                (Some(_), Some((block, _))) => blocks.push(block),
                (None, Some((mut block, indent))) => {
                    block.text += line.get(indent..).unwrap_or_default();
                    block.text.push('\n');
                    open = Some((block, indent));
                }
                (None, None) => prose.push((number, line)),
            }
        }
        assert!(
            open.is_none(),
            "{}: a block has no end",
            self.file.display()
        );
        (prose, blocks)
    }
}

/// What a line says that is a comment.
fn comment(line: &str) -> Option<String> {
    let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    Some(inner.trim().to_owned())
}
