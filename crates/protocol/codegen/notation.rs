//! Reads the notation that `schemas/README.md` describes.

use crate::model::{Field, Kind, Message, OPEN, Struct, Type, Versions};

/// One line that says something: its place, its depth and its words.
struct Line<'a> {
    place: String,
    depth: usize,
    words: Vec<&'a str>,
}

/// Parses the messages of one file. A mistake stops the build with the line's place.
pub(crate) fn parse(file: &str, text: &str) -> Vec<Message> {
    let lines: Vec<Line> =
        text.lines().enumerate().filter_map(|(i, line)| read_line(file, i + 1, line)).collect();
    let mut rest = lines.as_slice();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        messages.push(parse_message(&mut rest));
    }
    messages
}

fn read_line<'a>(file: &str, number: usize, line: &'a str) -> Option<Line<'a>> {
    let spoken = line.split('#').next().unwrap_or_default().trim_end();
    let words: Vec<&str> = spoken.split_whitespace().collect();
    if words.is_empty() {
        return None;
    }
    let indent = spoken.len() - spoken.trim_start().len();
    let place = format!("{file}:{number}");
    assert!(indent.is_multiple_of(2), "{place}: indent by two spaces");
    Some(Line { place, depth: indent / 2, words })
}

fn parse_message(lines: &mut &[Line]) -> Message {
    let mut message = parse_header(&lines[0]);
    *lines = &lines[1..];
    let Some(valid) = message.versions else { return message };
    let mut found = Vec::new();
    let fields = parse_fields(lines, 1, valid, valid, &mut found);
    message.structs.push(Struct { name: message.name.clone(), versions: valid, fields });
    while let Some(line) = lines.first().filter(|line| line.depth == 1) {
        assert!(line.words[0] == "struct", "{}: a field after a struct", line.place);
        let name = line.words[1].to_owned();
        let versions = match line.words.get(2) {
            Some(word) => parse_versions(line, word.trim_start_matches('@'), valid),
            None => valid,
        };
        *lines = &lines[1..];
        let fields = parse_fields(lines, 2, versions, valid, &mut found);
        found.push(Struct { name, versions, fields });
    }
    message.structs.append(&mut found);
    message
}

fn parse_header(line: &Line) -> Message {
    let place = &line.place;
    assert!(line.depth == 0, "{place}: expected a message");
    let kind = match line.words[0] {
        "request" => Kind::Request,
        "response" => Kind::Response,
        "key" => Kind::Key,
        "value" => Kind::Value,
        "record" => Kind::Record,
        "data" => Kind::Plain,
        other => panic!("{place}: {other} is no kind of message"),
    };
    let mut message = Message {
        kind,
        name: line.words[1].to_owned(),
        key: None,
        versions: None,
        last_unstable: false,
        flexible: None,
        structs: Vec::new(),
    };
    let open = Versions { low: 0, high: OPEN };
    let mut words = line.words[2..].iter();
    while let Some(word) = words.next() {
        let mut argument = || *words.next().unwrap_or_else(|| panic!("{place}: {word} of what?"));
        match *word {
            "key" => message.key = Some(parse_number(line, argument())),
            "versions" => {
                let versions = argument();
                message.versions = (versions != "none").then(|| parse_versions(line, versions, open));
            }
            "flexible" => {
                let valid =
                    message.versions.unwrap_or_else(|| panic!("{place}: versions come before flexible"));
                message.flexible = Some(parse_versions(line, argument(), valid));
            }
            "last_unstable" => message.last_unstable = true,
            other => panic!("{place}: {other} says nothing about a message"),
        }
    }
    message
}

/// Parses the fields at `depth`; structs declared in line go to `found`.
fn parse_fields(
    lines: &mut &[Line],
    depth: usize,
    context: Versions,
    valid: Versions,
    found: &mut Vec<Struct>,
) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    while let Some(line) = lines.first() {
        if line.depth < depth || line.words[0] == "struct" {
            break;
        }
        assert!(line.depth == depth, "{}: nothing that this could belong to", line.place);
        let field = parse_field(line, context, valid);
        *lines = &lines[1..];
        if lines.first().is_some_and(|next| next.depth == depth + 1 && next.words[0] != "struct") {
            let name = struct_name(&field.kind).unwrap_or_else(|| panic!("{}: not a struct", line.place));
            let inner = parse_fields(lines, depth + 1, field.versions, valid, found);
            found.push(Struct { name: name.to_owned(), versions: field.versions, fields: inner });
        }
        fields.push(field);
    }
    fields
}

fn parse_field(line: &Line, context: Versions, valid: Versions) -> Field {
    let place = &line.place;
    let name = line.words[0];
    let mut words = line.words[1..].iter().copied().peekable();
    let type_word = words.next().unwrap_or_else(|| panic!("{place}: {name} lacks a type"));
    let (type_name, null_word) = match type_word.split_once('?') {
        Some((type_name, versions)) => (type_name, Some(versions)),
        None => (type_word, None),
    };
    let mut field = Field {
        name: name.to_owned(),
        kind: parse_type(name, type_name),
        versions: context,
        nullable: None,
        tag: None,
        default: None,
        ignorable: false,
        never_compact: false,
        secret: false,
    };
    while let Some(word) = words.next() {
        match word {
            "=" => field.default = Some(words.next().expect("a default follows =").to_owned()),
            "tag" => {
                let number = words.next().expect("a number follows tag");
                field.tag = Some(parse_number(line, number));
            }
            "ignorable" => field.ignorable = true,
            "never_compact" => field.never_compact = true,
            "secret" => field.secret = true,
            at if at.starts_with('@') => {
                let versions = parse_versions(line, &at[1..], valid).intersect(context);
                field.versions = versions.unwrap_or_else(|| panic!("{place}: {name} is in no version"));
            }
            other => panic!("{place}: {other} says nothing about a field"),
        }
    }
    field.nullable = null_word.and_then(|word| {
        let versions = if word.is_empty() { field.versions } else { parse_versions(line, word, valid) };
        versions.intersect(field.versions)
    });
    field
}

fn struct_name(kind: &Type) -> Option<&str> {
    match kind {
        Type::Struct(name) => Some(name),
        Type::Array(element) => struct_name(element),
        _ => None,
    }
}

fn parse_type(field: &str, word: &str) -> Type {
    if let Some(element) = word.strip_prefix("[]") {
        return Type::Array(Box::new(parse_type(field, element)));
    }
    match word {
        "bool" => Type::Bool,
        "int8" => Type::Int8,
        "int16" if field.ends_with("ErrorCode") => Type::ErrorCode,
        "int16" => Type::Int16,
        "uint16" => Type::Uint16,
        "int32" => Type::Int32,
        "uint32" => Type::Uint32,
        "int64" => Type::Int64,
        "float64" => Type::Float64,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        name => Type::Struct(name.to_owned()),
    }
}

/// Parses `3`, `3-7` or `3+` and closes it by `within`.
fn parse_versions(line: &Line, word: &str, within: Versions) -> Versions {
    let versions = if let Some(low) = word.strip_suffix('+') {
        Versions { low: parse_number(line, low), high: OPEN }
    } else if let Some((low, high)) = word.split_once('-') {
        Versions { low: parse_number(line, low), high: parse_number(line, high) }
    } else {
        Versions { low: parse_number(line, word), high: parse_number(line, word) }
    };
    versions.intersect(within).unwrap_or_else(|| panic!("{}: {word} is outside", line.place))
}

fn parse_number<T: std::str::FromStr>(line: &Line, word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("{}: {word} is no number", line.place))
}
