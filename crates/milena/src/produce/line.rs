//! Lines as records.

use std::borrow::Cow;

use super::json_line;

/// The format of a line.
#[derive(Debug, Default)]
pub(super) struct Format {
    /// The separator of key and value; without it, the line is the value.
    pub(super) key_separator: Option<Vec<u8>>,
    /// The key of every record.
    pub(super) key: Option<Vec<u8>>,
    /// The value that stands for null.
    pub(super) null: Option<Vec<u8>>,
    /// Each line is a JSON object.
    pub(super) is_json: bool,
}

/// The parts of a record that a line gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) key: Option<Cow<'a, [u8]>>,
    pub(super) value: Option<Cow<'a, [u8]>>,
    pub(super) headers: Vec<LineHeader>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp_ms: Option<i64>,
}

/// A header's name and value.
pub(super) type LineHeader = (String, Option<Vec<u8>>);

impl Format {
    /// Parses a line, which has no line end. The error says what is wrong with it.
    pub(super) fn parse<'a>(&'a self, line: &'a [u8]) -> Result<Line<'a>, String> {
        if self.is_json {
            return json_line::parse(line);
        }
        let (key, value) = match &self.key_separator {
            None => (self.key.as_deref(), line),
            Some(separator) => {
                let at = line.windows(separator.len()).position(|window| window == separator).ok_or_else(
                    || format!("it has no key separator '{}'", String::from_utf8_lossy(separator)),
                )?;
                (Some(&line[..at]), &line[at + separator.len()..])
            }
        };
        let is_null = |part: &[u8]| self.null.as_deref() == Some(part);
        Ok(Line {
            key: key.filter(|key| !is_null(key)).map(Cow::Borrowed),
            value: Some(value).filter(|value| !is_null(value)).map(Cow::Borrowed),
            ..Line::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[track_caller]
    fn check(format: &Format, line: &str, key: Option<&str>, value: Option<&str>) {
        let parsed = format.parse(line.as_bytes()).expect("the line is well formed");
        assert_eq!(parsed.key.as_deref(), key.map(str::as_bytes), "the key of {line:?}");
        assert_eq!(parsed.value.as_deref(), value.map(str::as_bytes), "the value of {line:?}");
    }

    #[test]
    fn a_line_is_a_value() {
        check(&Format::default(), "a:b", None, Some("a:b"));
        check(&Format::default(), "", None, Some(""));
        check(&Format { key: Some(b"k".to_vec()), ..Format::default() }, "v", Some("k"), Some("v"));
    }

    #[test]
    fn the_first_separator_ends_the_key() {
        let format = Format { key_separator: Some(b"::".to_vec()), ..Format::default() };
        check(&format, "k::v::w", Some("k"), Some("v::w"));
        check(&format, "::", Some(""), Some(""));
        let error = format.parse(b"k:v").expect_err("there is no separator");
        assert!(error.contains("'::'"), "{error}");
    }

    #[test]
    fn a_text_stands_for_null() {
        let format =
            Format { key_separator: Some(b":".to_vec()), null: Some(b"NULL".to_vec()), ..Format::default() };
        check(&format, "k:NULL", Some("k"), None);
        check(&format, "NULL:v", None, Some("v"));
        check(&format, "k:NULLs", Some("k"), Some("NULLs"));
    }
}
