//! Java's `.properties` format, the format of `server.properties`.
//!
//! The rules are those of `java.util.Properties.load`, since that is what reads the file for Kafka:
//! `=`, `:` or white space end a name, a backslash at the end of a line joins the next one to it,
//! `#` and `!` open a comment where they are the first character of a line that joins no other.
//! One thing differs: the file is read as UTF-8 where it is UTF-8, and only otherwise as Latin-1.

use std::borrow::Cow;
use std::fmt;

#[cfg(test)]
mod tests;

/// One `name=value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    /// As written after the separator, white space at its end included.
    pub(crate) value: String,
    /// The line of the file on which the name stands, from 1.
    pub(crate) line: usize,
}

/// A `\u` that four hexadecimal digits do not follow: the only thing that the format refuses.
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

/// Reads every property of a file, in its order; a name given twice appears twice.
pub(crate) fn parse(file: &[u8]) -> Result<Vec<Property>, BadEscape> {
    let text: Cow<'_, str> = match std::str::from_utf8(file) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(file.iter().map(|&byte| char::from(byte)).collect()),
    };
    logical_lines(&text).into_iter().map(|(line, text)| property(line, &text)).collect()
}

/// Lines with comments and blank ones left out and continued ones joined, each with its number.
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
            // Nothing but a backslash: what follows may still be a comment.
            joined = None;
        } else if !continues {
            lines.extend(joined.take());
        }
    }
    // A backslash at the very end of the file continues into nothing.
    lines.extend(joined);
    lines
}

/// Lines as they stand in the file, which `\n`, `\r` or both end.
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

/// What Java's format takes for white space; line ends are not among it.
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

/// Where the name ends: at the first separator that no backslash stands before.
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

/// `None` for a `\u` without its four digits.
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
