//! The files of the project, as a fresh clone has them.

use std::path::Path;

/// Folders of builds and of brokers' data.
const NOT_OURS: [&str; 6] = ["target", ".git", "milena-data", "__pycache__", "artifacts", "corpus"];

/// A text file.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path from the root, with slashes.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl SourceFile {
    /// Whether it contains only tests, which may be as long as necessary.
    pub fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        let name = parts[parts.len() - 1];
        parts.iter().any(|part| matches!(*part, "tests" | "benches" | "fuzz")) || name == "tests.rs"
    }
}

/// All text files of the project, ordered by path.
#[derive(Debug)]
pub struct Tree {
    /// The files.
    pub files: Vec<SourceFile>,
}

impl Tree {
    /// Reads the files under a root.
    pub fn read(root: &Path) -> Tree {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = folder.read_dir() else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if NOT_OURS.contains(&name.as_ref()) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let (Ok(text), Ok(short)) =
                    (std::fs::read_to_string(&path), path.strip_prefix(root))
                {
                    files.push(SourceFile { path: short.to_string_lossy().into_owned(), text });
                }
            }
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Tree { files }
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The source files in Rust.
    pub fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}
