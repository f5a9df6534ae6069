//! Links in documents lead to existing files.

use super::tree::Tree;
use crate::root;
use std::path::Path;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for target in targets(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") || path.is_empty() {
                continue;
            }
            if !root().join(folder).join(path).exists() {
                faults.push(format!("{} links to {target}", file.path));
            }
        }
    }
    faults
}

/// The texts in parentheses after brackets.
fn targets(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}
