//! Every source file is reached from the root of its crate.

use super::lexer::code_of;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        if file.path.ends_with("/mod.rs") {
            faults.push(format!("{}: foo.rs stands beside foo/", file.path));
        }
        let Some((krate, inner)) = file.path.split_once("/src/") else { continue };
        if inner == "lib.rs" || inner == "main.rs" || inner.starts_with("bin/") {
            continue;
        }
        let inner = inner.trim_end_matches(".rs");
        let (parents, name) = match inner.rsplit_once('/') {
            Some((parent, name)) => (vec![format!("{krate}/src/{parent}.rs")], name),
            None => (vec![format!("{krate}/src/lib.rs"), format!("{krate}/src/main.rs")], inner),
        };
        let declared = parents.iter().filter_map(|parent| tree.text(parent)).any(|text| declares(text, name));
        if !declared {
            faults.push(format!("{} is not declared in {}", file.path, parents.join(" or ")));
        }
    }
    faults
}

fn declares(text: &str, name: &str) -> bool {
    let wanted = format!("mod {name};");
    code_of(text).lines().any(|line| line.trim_end().ends_with(&wanted))
}
