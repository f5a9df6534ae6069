//! The top modules of a crate use each other in layers: no large circle of them.

use super::lexer::{Block, blocks, code_of};
use super::tree::{SourceFile, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// The modules that may use each other in one circle.
const CIRCLE_MAX: usize = 3;

/// The modules that each module uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, uses) in crates(tree) {
        let circle = largest_circle(&uses);
        if circle.len() > CIRCLE_MAX {
            let modules: Vec<&str> = circle.iter().map(String::as_str).collect();
            let modules = modules.join(", ");
            faults.push(format!("{} modules of {name} use each other in a circle: {modules}", circle.len()));
        }
    }
    faults
}

/// The uses between the top modules of each crate under `crates`.
fn crates(tree: &Tree) -> BTreeMap<String, Uses> {
    let mut files: BTreeMap<&str, Vec<(&str, &SourceFile)>> = BTreeMap::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let inner = file.path.strip_prefix("crates/").and_then(|path| path.split_once("/src/"));
        if let Some((name, inner)) = inner {
            files.entry(name).or_default().push((inner.trim_end_matches(".rs"), file));
        }
    }
    files.iter().map(|(name, files)| ((*name).to_owned(), uses(files))).collect()
}

/// The uses between top modules, from the files of a crate by their paths in it.
fn uses(files: &[(&str, &SourceFile)]) -> Uses {
    let is_root = |path: &str| path == "lib" || path == "main";
    let top = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let mut uses: Uses = files
        .iter()
        .filter(|(path, _)| !is_root(path))
        .map(|(path, _)| (top(path), BTreeSet::new()))
        .collect();
    let roots = files.iter().filter(|(path, _)| is_root(path));
    let exports: Vec<(String, String)> = roots.flat_map(|(_, file)| exports(&code_of(&file.text))).collect();
    for (path, file) in files.iter().filter(|(path, _)| !is_root(path)) {
        let module = top(path);
        for name in names_of_root(&without_tests(&file.text), path.split('/').count()) {
            let exported =
                exports.iter().filter(|(exported, _)| *exported == name).map(|(_, from)| from.clone());
            let used: Vec<String> = if uses.contains_key(&name) { vec![name] } else { exported.collect() };
            let used = used.into_iter().filter(|used| *used != module && uses.contains_key(used));
            let used: Vec<String> = used.collect();
            uses.entry(module.clone()).or_default().extend(used);
        }
    }
    uses
}

/// The code of a file without its modules of tests.
fn without_tests(text: &str) -> String {
    let code = code_of(text);
    let tests: Vec<Block> = blocks(&code, "mod").into_iter().filter(|block| block.name == "tests").collect();
    let is_test = |line: usize| tests.iter().any(|it| it.first_line <= line && line <= it.last_line);
    let lines = code.lines().enumerate().filter(|(number, _)| !is_test(number + 1));
    lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

/// The names that the root of a crate re-exports, each with its module.
fn exports(code: &str) -> Vec<(String, String)> {
    let mut exports = Vec::new();
    for statement in code.split(';').filter_map(|it| it.rsplit_once("use ").map(|(_, rest)| rest.trim())) {
        let Some((module, names)) = statement.split_once("::") else { continue };
        for name in words(names) {
            exports.push((name.to_owned(), module.to_owned()));
        }
    }
    exports
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| it != '_' && !it.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The names of the crate's root that a file of that depth uses, by `crate::` or by enough of `super::`.
fn names_of_root(code: &str, depth: usize) -> Vec<String> {
    let mut names = Vec::new();
    let starts_word = |at: usize| {
        code[..at]
            .chars()
            .next_back()
            .is_none_or(|it| it != '_' && it != '$' && it != ':' && !it.is_alphanumeric())
    };
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| starts_word(*at)) {
        first_names(&code[at + "crate::".len()..], 0, &mut names);
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| starts_word(*at)) {
        first_names(&code[at..], depth, &mut names);
    }
    names
}

/// The names that a path or a group of paths begins with, after that many of `super::`.
fn first_names(path: &str, supers: usize, names: &mut Vec<String>) {
    let path = path.trim_start();
    if let Some(group) = path.strip_prefix('{') {
        members(group).into_iter().for_each(|member| first_names(member, supers, names));
        return;
    }
    if supers == 0 {
        names.extend(words(path).next().map(str::to_owned));
    } else if let Some(rest) = path.strip_prefix("super::") {
        first_names(rest, supers - 1, names);
    }
}

/// The members of a group, which ends at its brace.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut members) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    members
}

/// The largest set of modules of which each reaches each other.
fn largest_circle(uses: &Uses) -> BTreeSet<String> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|module| (module, reached_from(module, uses))).collect();
    let circle = |module: &&String| -> BTreeSet<String> {
        let others = reached[*module].iter().filter(|other| reached[**other].contains(*module));
        others.map(|other| (*other).clone()).collect()
    };
    uses.keys().map(|module| circle(&module)).max_by_key(BTreeSet::len).unwrap_or_default()
}

fn reached_from<'a>(module: &'a String, uses: &'a Uses) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = uses[module].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&uses[module]);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: format!("crates/house/src/{path}.rs"),
            text: (*text).to_owned(),
        };
        Tree { files: files.iter().map(file).collect() }
    }

    /// A circle of four: by a group, by the root's names, in the midst of code, and from a deeper file.
    const FOUR: [(&str, &str); 6] = [
        ("lib", "mod a;\nmod b;\nmod c;\nmod d;\npub use c::{Chair, Table as Desk};"),
        ("a", "use crate::{\n    b::{self, B},\n};"),
        ("b", "use crate::Desk;"),
        ("c", "fn c() { crate::d::run() }"),
        ("d", "mod e;"),
        ("d/e", "use super::super::a::A;"),
    ];

    #[test]
    fn a_circle_is_found_however_it_is_written() {
        let found = check(&tree(&FOUR));
        assert_eq!(found, ["4 modules of house use each other in a circle: a, b, c, d"]);
        for left_out in 1..FOUR.len() {
            if FOUR[left_out].0 == "d" {
                continue;
            }
            let mut files = FOUR;
            files[left_out].1 =
                "// use crate::{a::A, b::B, c::C, d::D};\n#[cfg(test)]\nmod tests {\n use crate::a::A;\n}";
            assert_eq!(check(&tree(&files)), [""; 0], "without {}", FOUR[left_out].0);
        }
    }
}
