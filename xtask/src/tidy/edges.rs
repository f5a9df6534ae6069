//! The dependencies between crates are those of the table in ARCHITECTURE.md.

use super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let Some(document) = tree.text("ARCHITECTURE.md") else {
        return vec!["there is no ARCHITECTURE.md".to_owned()];
    };
    let (told, real) = (told(document), real(tree));
    let mut faults = Vec::new();
    for name in told.keys().chain(real.keys()).collect::<BTreeSet<_>>() {
        match (told.get(name), real.get(name)) {
            (Some(told), Some(real)) if told != real => {
                faults.push(format!("{name} depends on {real:?}, the table says {told:?}"));
            }
            (None, Some(_)) => faults.push(format!("{name} is not in the table")),
            (Some(_), None) => faults.push(format!("{name} is in the table, but there is no such crate")),
            _ => {}
        }
    }
    faults
}

/// The first and the last cell of each row of the table of crates.
fn told(document: &str) -> Edges {
    let rows = document.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    let mut edges = Edges::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let words = |cell: &str| -> BTreeSet<String> {
            cell.split(',')
                .map(|word| word.trim().trim_matches('`').to_owned())
                .filter(|word| !word.is_empty())
                .collect()
        };
        if let [_, name, .., on, _] = cells.as_slice() {
            edges.insert(name.trim_matches('`').to_owned(), words(on));
        }
    }
    edges
}

/// The normal dependencies between crates of the workspace, from the manifests.
fn real(tree: &Tree) -> Edges {
    let manifests: BTreeMap<String, &str> = tree
        .files
        .iter()
        .filter_map(|file| {
            let name = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!name.contains('/')).then(|| (name.to_owned(), file.text.as_str()))
        })
        .collect();
    let depends = |manifest: &str| -> BTreeSet<String> {
        let lines = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
        let names = lines
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| Some(line.split(['.', '=', ' ']).next()?.trim().to_owned()));
        names.filter(|name| manifests.contains_key(name)).collect()
    };
    manifests.iter().map(|(name, text)| (name.clone(), depends(text))).collect()
}
