//! The rules of the house. Each is a check that returns a sentence for every fault.

pub mod apis;
mod circles;
mod edges;
mod lengths;
mod lexer;
mod links;
mod machine;
mod modules;
mod names;
mod pure;
mod traps;
mod tree;

use crate::root;
use tree::Tree;

/// A rule: its name, and its check.
pub type Rule = (&'static str, fn(&Tree) -> Vec<String>);

/// All rules.
pub const RULES: &[Rule] = &[
    ("crates depend on each other as ARCHITECTURE.md says", edges::check),
    ("the API table, the files of the APIs and docs/api.md agree", apis::check),
    ("functions have less than 70 lines, files less than 600", lengths::check),
    ("every source file is part of a crate, and none is called mod.rs", modules::check),
    ("names say what a thing is", names::check),
    ("links in documents lead somewhere", links::check),
    ("nothing names a machine or a registry's host", machine::check),
    ("code that decides does not log", pure::check),
    ("docs/traps.md has the traps that the code cites", traps::check),
    ("no more than three top modules of a crate use each other in a circle", circles::check),
];

/// The faults of all rules.
pub fn check() -> Vec<String> {
    let tree = Tree::read(&root());
    RULES
        .iter()
        .flat_map(|(name, rule)| rule(&tree).into_iter().map(move |fault| format!("{name}: {fault}")))
        .collect()
}

/// The faults of one rule, by its index in [`RULES`].
pub fn check_one(rule: usize) -> Vec<String> {
    RULES[rule].1(&Tree::read(&root()))
}
