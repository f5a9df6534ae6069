//! The tree is the same wherever it is built: it names no machine's folders and no registry's host.

use super::tree::Tree;

/// Names that must not occur; each is split in two, so that this file does not contain it either.
const FOLDERS: [(&str, &str); 4] = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];
const HOSTS: [(&str, &str); 7] = [
    ("repo.maven", ".apache"),
    ("repo1.", "maven"),
    ("pypi", ".org"),
    ("files.python", "hosted"),
    ("proxy.go", "lang"),
    ("registry.n", "pmjs"),
    ("deb.", "debian.org"),
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            for (left, right) in FOLDERS.iter().chain(&HOSTS) {
                let word = format!("{left}{right}");
                if line.contains(&word) && !part_of_a_path(line, &word) {
                    faults.push(format!("{}:{} names {word}", file.path, number + 1));
                }
            }
        }
    }
    faults
}

/// Whether every occurrence of the word is inside a longer path, as in `a/work/b`.
fn part_of_a_path(line: &str, word: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    word.starts_with('/')
        && line
            .match_indices(word)
            .all(|(at, _)| before(at).is_some_and(|it| it.is_alphanumeric() || "}.-_)".contains(it)))
}
