//! Java's `.properties` format, the format of `server.properties`.
//!
//! The rules are those of `java.util.Properties.load`, which reads the file for Kafka: `=`, `:` or white
//! space end a name, a backslash at the end of a line joins the next one to it, and `#` or `!` starts a
//! comment if it is the first character of a line that does not continue another. One thing differs: the file
//! is read as UTF-8 if it is valid UTF-8, and otherwise as Latin-1.

use std::borrow::Cow;
use std::fmt;

#[cfg(test)]
mod tests;

/// One `name=value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    /// The text after the separator, white space at its end included.
    pub(crate) value: String,
    /// The line of the file on which the name stands, from 1.
    pub(crate) line: usize,
}

/// A `\u` without four hexadecimal digits after it: the only text that the format rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadEscape {
    /// The line of the file, from 1.
    pub(crate) line: usize,
}

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: \\u must be followed by four hexadecimal digits", self.line)
    }
}

/// Parses every property of a file, in order; a name given twice appears twice.
pub(crate) fn parse(file: &[u8]) -> Result<Vec<Property>, BadEscape> {
    let text: Cow<'_, str> = match std::str::from_utf8(file) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(file.iter().map(|&byte| char::from(byte)).collect()),
    };
    logical_lines(&text).into_iter().map(|(line, text)| property(line, &text)).collect()
}

/// Lines with their numbers. Comments and blank lines are left out, and continued lines are joined.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut joined: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).enumerate() {
        let natural = natural.trim_start_matches(is_blank);
        if joined.is_none() && (natural.is_empty() || natural.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        let continues = backslashes % 2 == 1;
        let part = if continues { &natural[..natural.len() - 1] } else { natural };
        let (_, line) = joined.get_or_insert_with(|| (index + 1, String::new()));
        line.push_str(part);
        if line.is_empty() {
            // After a lone backslash a comment may still follow.
            joined = None;
        } else if !continues {
            lines.extend(joined.take());
        }
    }
    // A backslash at the very end of the file continues into nothing.
    lines.extend(joined);
    lines
}

/// The lines of the file, which end with `\n`, `\r` or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let ending = if text[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[end + ending..]);
        Some(&text[..end])
    })
}

/// White space in Java's format; line ends are not part of it.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn property(line: usize, text: &str) -> Result<Property, BadEscape> {
    let name_end = name_end(text);
    let rest = text[name_end..].trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    let value = rest.trim_start_matches(is_blank);
    Ok(Property {
        name: unescape(&text[..name_end]).ok_or(BadEscape { line })?,
        value: unescape(value).ok_or(BadEscape { line })?,
        line,
    })
}

/// The end of the name: the first separator without a backslash before it.
fn name_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && (is_blank(c) || c == '=' || c == ':') {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Resolves escapes; `None` for a `\u` without its four digits.
fn unescape(text: &str) -> Option<String> {
    // UTF-16 code units, because `\ud83d\ude00` names one character by two escapes.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => units.push(u16::from(b'\t')),
            Some('n') => units.push(u16::from(b'\n')),
            Some('r') => units.push(u16::from(b'\r')),
            Some('f') => units.push(0xc),
            Some('u') => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit << 4 | u16::try_from(chars.next()?.to_digit(16)?).ok()?;
                }
                units.push(unit);
            }
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
        }
    }
    Some(String::from_utf16_lossy(&units))
}
