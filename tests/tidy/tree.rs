//! A tree of text files, read from a folder or planted by a test.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use super::lexer;

/// Folders that hold nothing of ours.
const FOREIGN: &[&str] = &[
    ".git",
    "target",
    "fuzz/target",
    "fuzz/corpus",
    "fuzz/artifacts",
    "fuzz/coverage",
];

/// Where a law is broken, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    advice: String,
}

impl Finding {
    /// At a line, counted from one.
    pub(crate) fn new(file: &str, line: usize, advice: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            advice: advice.into(),
        }
    }

    /// The file and the line.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place(), self.advice)
    }
}

/// A file: as it is, and, if it is Rust, without comments and literals.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) code: String,
}

impl File {
    /// The lines of the code, counted from one.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }

    /// The lines of the text, counted from one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }
}

/// Files by their paths from the root, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Every file below a folder, apart from what tools put there.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{above}{}", entry.file_name().to_string_lossy());
            if FOREIGN.contains(&name.as_str()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.read_folder(&entry.path(), &format!("{name}/"))?;
            } else {
                let bytes = fs::read(entry.path())?;
                self.insert(&name, &String::from_utf8_lossy(&bytes));
            }
        }
        Ok(())
    }

    /// A tree of these files.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.insert(path, text);
        }
        tree
    }

    fn insert(&mut self, path: &str, text: &str) {
        let code = match path.ends_with(".rs") {
            true => lexer::code(text),
            false => String::new(),
        };
        let text = text.to_owned();
        self.files.insert(path.to_owned(), File { text, code });
    }

    /// The file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether there is a file or a folder at a path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        let below = self.files.range(folder.clone()..).next();
        self.files.contains_key(path) || below.is_some_and(|(at, _)| at.starts_with(&folder))
    }

    /// The files whose paths begin and end so, in order.
    pub(crate) fn files<'tree>(
        &'tree self,
        above: &'tree str,
        ending: &'tree str,
    ) -> impl Iterator<Item = (&'tree str, &'tree File)> {
        self.files
            .iter()
            .map(|(path, file)| (path.as_str(), file))
            .filter(move |(path, _)| path.starts_with(above) && path.ends_with(ending))
    }
}

#[test]
fn folders_exist_by_their_files() {
    let tree = Tree::planted(&[("core/src/id.rs", ""), ("core-two", "")]);
    assert!(tree.has("core") && tree.has("core/src/") && tree.has("core/src/id.rs"));
    assert!(!tree.has("core/sr") && !tree.has("core/src/id") && !tree.has("cor"));
}
