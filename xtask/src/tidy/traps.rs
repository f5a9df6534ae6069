//! The traps that the code cites are those of `docs/traps.md`.

use std::collections::BTreeSet;

use super::tree::Tree;

const DOCUMENT: &str = "docs/traps.md";
const SOURCES: [&str; 4] = [
    "crates/storage/src/traps.rs",
    "crates/coordinator/src/traps.rs",
    "crates/metadata/src/traps.rs",
    "crates/broker/src/replicas/traps.rs",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let sources: Option<String> = SOURCES.iter().map(|path| tree.text(path)).collect();
    match (tree.text(DOCUMENT), sources) {
        (Some(document), Some(sources)) => differences(document, &sources),
        _ => vec![format!("{DOCUMENT} or one of {SOURCES:?} is missing")],
    }
}

fn differences(document: &str, source: &str) -> Vec<String> {
    let rows: BTreeSet<&str> =
        document.lines().filter_map(|line| number(line.strip_prefix("| ")?, " |")).collect();
    let cited: BTreeSet<&str> =
        source.lines().filter_map(|line| number(line.trim_start().strip_prefix("/// ")?, ":")).collect();
    let unknown =
        cited.difference(&rows).map(|trap| format!("traps.rs cites {trap}: add its row to {DOCUMENT}"));
    let unused =
        rows.difference(&cited).map(|trap| format!("{DOCUMENT} has {trap}, which no traps.rs cites"));
    unknown.chain(unused).collect()
}

/// A letter and digits at the beginning of `text`, if `end` follows.
fn number<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (number, _) = text.split_once(end)?;
    let digits = number.strip_prefix(|first: char| first.is_ascii_uppercase())?;
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_compared() {
        let document = "| | the mistake |\n| S1 | torn |\n| S2 | zeros |\n";
        let source = "    /// S1: served.\n    /// S3: unsynced.\n    /// Another: thing.\n";
        let told = differences(document, source);
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("cites S3") && told[1].contains("has S2"), "{told:?}");
    }
}
