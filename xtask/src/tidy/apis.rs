//! The table of APIs, their files and their document agree.

use super::tree::Tree;
use crate::{Attempt, root};
use std::collections::BTreeSet;

const TABLE: &str = "crates/broker/src/dispatch.rs";
const FOLDER: &str = "crates/broker/src/api/";
const DOCUMENT: &str = "docs/api.md";

/// A row of the table.
struct Api {
    name: String,
    low: String,
    high: String,
    file: String,
    /// The listeners that serve it.
    on: String,
}

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let Some(table) = tree.text(TABLE) else {
        return vec![format!("there is no {TABLE}")];
    };
    let apis = rows(table);
    let told: BTreeSet<String> = apis.iter().map(|api| format!("{FOLDER}{}.rs", api.file)).collect();
    let files = tree.rust().filter(|file| !file.is_test()).map(|file| file.path.clone());
    let files: BTreeSet<String> = files.filter(|path| is_api(path)).collect();
    let mut faults = Vec::new();
    faults.extend(told.difference(&files).map(|path| format!("{path} is in the table and is not there")));
    faults.extend(files.difference(&told).map(|path| format!("{path} is not in the table")));
    for api in &apis {
        let head = tree.text(&format!("{FOLDER}{}.rs", api.file)).unwrap_or_default();
        let head = head.lines().next().unwrap_or_default();
        let range = versions(api);
        if about(tree, api).contains("[`") {
            faults.push(format!(
                "{}.rs begins with a link of rustdoc, which docs/api.md cannot follow",
                api.file
            ));
        }
        if !head.starts_with(&format!("//! {} (", api.name)) || !head.contains(&range) {
            faults.push(format!("{}.rs should begin with its name, key and {range}: {head}", api.file));
        }
    }
    if tree.text(DOCUMENT) != Some(&render(tree)) {
        faults.push(format!("{DOCUMENT} is out of date: run cargo xtask tidy --write"));
    }
    faults
}

/// Rewrites the document.
pub fn write() -> Attempt<()> {
    let path = root().join(DOCUMENT);
    let text = render(&Tree::read(&root()));
    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Whether a file is an API: it is directly in the folder. Deeper files belong to an API.
fn is_api(path: &str) -> bool {
    path.strip_prefix(FOLDER).is_some_and(|rest| !rest.contains('/'))
}

fn versions(api: &Api) -> String {
    if api.low == api.high {
        format!("version {}", api.low)
    } else {
        format!("versions {}-{}", api.low, api.high)
    }
}

/// The rows `api!(Name, low..=high, api::file::handle)`.
fn rows(table: &str) -> Vec<Api> {
    let mut apis = Vec::new();
    for line in table.lines().filter_map(|line| line.trim().strip_prefix("api!(")) {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if let [name, range, handler, rest @ ..] = cells.as_slice()
            && let Some((low, high)) = range.split_once("..=")
            && let Some(file) = handler.strip_prefix("api::").and_then(|rest| rest.split("::").next())
        {
            let on = rest.iter().find_map(|cell| cell.trim_end_matches(')').strip_prefix("on "));
            let on = on.unwrap_or("Brokers").to_lowercase();
            let [name, low, high, file] = [name, low, high, file].map(str::to_owned);
            apis.push(Api { name, low, high, file, on });
        }
    }
    apis
}

/// The documentation at the head of an API's file, as one line.
fn about(tree: &Tree, api: &Api) -> String {
    let source = tree.text(&format!("{FOLDER}{}.rs", api.file)).unwrap_or_default();
    let head: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    head.join(" ")
}

fn render(tree: &Tree) -> String {
    let mut text = String::from(
        "# The APIs that Milena serves\n\n\
         Written from the table in `crates/broker/src/dispatch.rs` and the heads of the files in\n\
         `crates/broker/src/api` by `cargo xtask tidy --write`; a test holds it current.\n\n\
         An API that is not here is absent from the ApiVersions answer, so that no client is promised it. Listeners for\n\
         brokers serve clients; those for controllers (`controller.listener.names`) serve brokers and tools.\n\n\
         | key | API | versions | listeners | what it does, and what its versions changed |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for api in rows(tree.text(TABLE).unwrap_or_default()) {
        let head = about(tree, &api);
        let key = head.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(key, _)| key);
        let range = versions(&api);
        let about = head.split_once(&range).map_or("", |(_, rest)| rest);
        let about = about.trim_start_matches([':', '.']).split_whitespace().collect::<Vec<_>>().join(" ");
        let link = format!("[{}](../{FOLDER}{}.rs)", api.name, api.file);
        let range = range.split_once(' ').map_or("", |(_, range)| range);
        text.push_str(&format!(
            "| {key} | {link} | {range} | {} | {} |\n",
            api.on,
            sentence(&about).replace('|', "\\|")
        ));
    }
    text
}

/// The text with a capital at its beginning and a stop at its end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let capital = letters.next().map_or(String::new(), |first| first.to_uppercase().collect());
    let stop = if text.is_empty() || text.ends_with('.') { "" } else { "." };
    format!("{capital}{}{stop}", letters.as_str())
}
