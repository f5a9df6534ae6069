//! The language of the doc comments, by crate.
#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

use std::collections::BTreeMap;
use std::path::Path;

const QUESTION_WORDS: [&str; 5] = ["what", "who", "how", "where", "which"];

/// Nouns that look like participles.
const NOUNS: &[&str] = &[
    "Building",
    "Encoding",
    "Feed",
    "Finding",
    "Heading",
    "Kind",
    "Listing",
    "Meaning",
    "Measuring",
    "Ring",
    "Seed",
    "Setting",
    "Spacing",
    "String",
];

const IRREGULAR: &[&str] = &[
    "Broken", "Built", "Cut", "Done", "Drawn", "Found", "Given", "Held", "Kept", "Known", "Left", "Lost",
    "Made", "Met", "Read", "Seen", "Sent", "Shown", "Taken", "Told", "Untold",
];

/// The counters of one crate.
#[derive(Default)]
struct Counters {
    wheres: usize,
    ifs: usize,
    comments: usize,
    /// The place of each comment that begins with a question word.
    questions: Vec<String>,
    bare_errors: Vec<String>,
    participles: Vec<(String, String)>,
}

/// Counts what the files of each crate hold, by the crate's folder.
fn counters() -> BTreeMap<String, Counters> {
    let root = xtask::root();
    let mut folders: Vec<String> = ["bench", "sim", "xtask"].map(String::from).to_vec();
    for entry in root.join("crates").read_dir().expect("the folder of the crates") {
        folders.push(format!("crates/{}", entry.expect("an entry").file_name().to_string_lossy()));
    }
    let mut all = BTreeMap::new();
    for folder in folders {
        let mut counters = Counters::default();
        count_folder(&root, &root.join(&folder), &mut counters);
        all.insert(folder, counters);
    }
    all
}

fn count_folder(root: &Path, folder: &Path, counters: &mut Counters) {
    let mut entries: Vec<_> =
        folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            count_folder(root, &path, counters);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let name = path.strip_prefix(root).expect("it is below the root").display().to_string();
            count_file(&name, &text, counters);
        }
    }
}

fn count_file(path: &str, text: &str, counters: &mut Counters) {
    let mut comment: Vec<&str> = Vec::new();
    for (number, line) in text.lines().chain([""]).enumerate() {
        let line = line.trim();
        if let Some(said) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
            comment.push(said.trim());
            continue;
        }
        if !comment.is_empty() {
            count_comment(&format!("{path}:{}", number + 1 - comment.len()), &comment, counters);
            comment.clear();
        }
        if let Some(name) = declared_type(line)
            && is_participle(name)
        {
            counters.participles.push((name.to_string(), format!("{path}:{}", number + 1)));
        }
    }
}

fn count_comment(place: &str, lines: &[&str], counters: &mut Counters) {
    counters.comments += 1;
    for word in lines.iter().flat_map(|line| line.split(|it: char| !it.is_alphanumeric())) {
        match word.to_lowercase().as_str() {
            "where" => counters.wheres += 1,
            "if" => counters.ifs += 1,
            _ => {}
        }
    }
    let first = lines[0].split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    if QUESTION_WORDS.contains(&first.as_str()) {
        counters.questions.push(place.to_string());
    }
    if let Some(start) = lines.iter().position(|line| *line == "# Errors") {
        let section: Vec<&str> =
            lines[start + 1..].iter().copied().take_while(|line| !line.starts_with('#')).collect();
        if only_links_types(&section.join(" ")) {
            counters.bare_errors.push(place.to_string());
        }
    }
}

/// Whether there are no words but links to types. A link to a variant says when the error comes, and one to a
/// function where to read that.
fn only_links_types(section: &str) -> bool {
    let mut words = String::new();
    let mut links = Vec::new();
    let mut rest = section;
    while let Some((before, after)) = rest.split_once('[') {
        let (link, after) = after.split_once(']').unwrap_or((after, ""));
        words.push_str(before);
        links.push(link.trim_matches('`'));
        rest = after;
    }
    words.push_str(rest);
    let is_type = |link: &&str| !link.contains("::") && link.starts_with(char::is_uppercase);
    let mut words = words.split(|it: char| !it.is_alphanumeric());
    links.iter().all(is_type) && words.all(|word| matches!(word, "" | "and" | "or" | "As" | "See"))
}

/// The name of the type that a line declares.
fn declared_type(line: &str) -> Option<&str> {
    let mut words = line.split(|it: char| it.is_whitespace());
    let kind = words.find(|word| !word.starts_with("pub") && !word.ends_with(')'))?;
    if !["struct", "enum", "union", "trait", "type"].contains(&kind) {
        return None;
    }
    words.next()?.split(|it: char| !it.is_alphanumeric()).next()
}

/// Whether the last word of a name in camel case is a participle.
fn is_participle(name: &str) -> bool {
    let start = name.rfind(char::is_uppercase).unwrap_or(0);
    let word = &name[start..];
    if NOUNS.contains(&word) {
        return false;
    }
    IRREGULAR.contains(&word) || word.len() > 4 && (word.ends_with("ed") || word.ends_with("ing"))
}

/// Checks every crate. `rule` returns the faults of one, given its folder and its counters.
fn check(what_to_do: &str, rule: impl Fn(&str, &Counters) -> Vec<String>) {
    let of_crate = |(folder, counters): (String, Counters)| -> Vec<String> {
        rule(&folder, &counters).into_iter().map(|fault| format!("{folder}: {fault}")).collect()
    };
    let faults: Vec<String> = counters().into_iter().flat_map(of_crate).collect();
    assert!(faults.is_empty(), "{what_to_do}\n{}", faults.join("\n"));
}

#[test]
fn where_is_for_places_and_if_for_conditions() {
    check("Write `if` for a condition, and leave `where` to places:", |_, it| {
        let fault = format!("{} `where` are more than half of {} `if`", it.wheres, it.ifs);
        if it.wheres * 2 <= it.ifs { vec![] } else { vec![fault] }
    });
}

#[test]
fn comments_begin_with_the_name_of_the_thing() {
    let what_to_do = "Begin a doc comment with a noun or a verb, not with What, Who, How, Where or Which:";
    check(what_to_do, |_, it| {
        if it.questions.len() * 100 < it.comments * 3 || it.questions.is_empty() {
            return vec![];
        }
        let fault = format!("{} of {} comments, at least 3 %:", it.questions.len(), it.comments);
        std::iter::once(fault).chain(it.questions.iter().map(|place| format!("  {place}"))).collect()
    });
}

#[test]
fn sections_on_errors_say_when_they_come() {
    let what_to_do = "Say when each error comes, or leave the section out if it only links the type:";
    check(what_to_do, |_, it| it.bare_errors.clone());
}

#[test]
fn types_are_nouns() {
    check("Name a type by a noun that says what it is (`FetchRound`, not `Found`):", |_, it| {
        it.participles.iter().map(|(name, place)| format!("{place} {name}")).collect()
    });
}

#[test]
fn the_counters_find_what_they_count() {
    let text = "//! What a log is.\n\n/// Where it is kept, or where not; if it is.\n///\n/// # Errors\n/// [`A`] and [`B`].\npub struct Kept(u8);\n\
        /// # Errors\n/// [`A`] if it is closed.\npub(crate) struct OpenedSegments {\n/// # Errors\n/// [`A::Closed`].\nenum Replayed<T> {";
    let mut counters = Counters::default();
    count_file("log.rs", text, &mut counters);
    assert_eq!((counters.wheres, counters.ifs, counters.comments), (2, 2, 4));
    assert_eq!(counters.questions, ["log.rs:1", "log.rs:3"]);
    assert_eq!(counters.bare_errors, ["log.rs:3"]);
    let names: Vec<&str> = counters.participles.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Kept", "Replayed"]);
}
