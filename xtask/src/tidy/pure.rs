//! Code that decides returns its decisions, and leaves logging to the code that acts.

use super::lexer::code_of;
use super::tree::Tree;

/// Sources that are pure: a request, a state and a time in, an answer and records out.
const PURE: [&str; 9] = [
    "crates/broker/src/replicas/leader",
    "crates/coordinator/src/",
    "crates/metadata/src/controller",
    "crates/metadata/src/image",
    "crates/metadata/src/record",
    "crates/metadata/src/replay",
    "crates/settings/src",
    "crates/protocol/src/",
    "crates/record/src/",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let pure = tree.rust().filter(|file| PURE.iter().any(|path| file.path.starts_with(path)));
    let logs = pure.filter(|file| code_of(&file.text).contains("tracing::"));
    logs.map(|file| format!("{} logs: return what is to be said", file.path)).collect()
}
