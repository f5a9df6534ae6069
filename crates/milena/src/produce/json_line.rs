//! JSON objects as records: what `milena consume --json` prints.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::line::{Line, LineHeader};

const NAMES: [&str; 10] = [
    "headers",
    "key",
    "keyBase64",
    "leaderEpoch",
    "offset",
    "partition",
    "timestamp",
    "topic",
    "value",
    "valueBase64",
];

/// Parses an object. The origin of a record (`topic`, `offset`, `leaderEpoch`) is ignored; an unknown name is
/// an error, since it may be mistyped.
pub(super) fn parse(line: &[u8]) -> Result<Line<'_>, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))?;
    let Value::Object(object) = value else {
        return Err("it is not a JSON object such as {\"key\": \"k\", \"value\": \"v\"}".to_owned());
    };
    if let Some(name) = object.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("'{name}' is not a field of a record; use {}", NAMES.join(", ")));
    }
    Ok(Line {
        key: bytes(&object, "key", "keyBase64")?.map(Cow::Owned),
        value: bytes(&object, "value", "valueBase64")?.map(Cow::Owned),
        headers: headers(&object)?,
        partition: number(&object, "partition")?
            .map(i32::try_from)
            .transpose()
            .map_err(|_| "the partition is not a 32-bit number")?,
        timestamp_ms: number(&object, "timestamp")?,
    })
}

/// The UTF-8 of a text, or the JSON of any other value.
fn bytes(object: &Map<String, Value>, name: &str, name_base64: &str) -> Result<Option<Vec<u8>>, String> {
    match (object.get(name), object.get(name_base64)) {
        (Some(_), Some(_)) => Err(format!("it has both '{name}' and '{name_base64}'")),
        (None | Some(Value::Null), None) | (None, Some(Value::Null)) => Ok(None),
        (Some(Value::String(text)), None) => Ok(Some(text.clone().into_bytes())),
        (Some(other), None) => Ok(Some(other.to_string().into_bytes())),
        (None, Some(Value::String(text))) => {
            STANDARD.decode(text).map(Some).map_err(|error| format!("'{name_base64}' is not Base64: {error}"))
        }
        (None, Some(_)) => Err(format!("'{name_base64}' is not a string")),
    }
}

fn number(object: &Map<String, Value>, name: &str) -> Result<Option<i64>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| format!("'{name}' is not a whole number")),
    }
}

fn headers(object: &Map<String, Value>) -> Result<Vec<LineHeader>, String> {
    const SHAPE: &str = "'headers' is not a list such as [{\"key\": \"name\", \"value\": \"text\"}]";
    let Some(headers) = object.get("headers").filter(|headers| !headers.is_null()) else {
        return Ok(Vec::new());
    };
    let header = |header: &Value| {
        let header = header.as_object().ok_or(SHAPE)?;
        let key = header.get("key").and_then(Value::as_str).ok_or(SHAPE)?;
        Ok((key.to_owned(), bytes(header, "value", "valueBase64")?))
    };
    headers.as_array().ok_or(SHAPE)?.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::produce::line::Line;

    #[test]
    fn objects() {
        let line = parse(
            br#"{"topic":"t","offset":7,"key":"k","valueBase64":"/w==","partition":2,"timestamp":5,
               "headers":[{"key":"h","value":"x"},{"key":"n","value":null}]}"#,
        );
        let expect = Line {
            key: Some(b"k".to_vec().into()),
            value: Some(b"\xff".to_vec().into()),
            headers: vec![("h".to_owned(), Some(b"x".to_vec())), ("n".to_owned(), None)],
            partition: Some(2),
            timestamp_ms: Some(5),
        };
        assert_eq!(line, Ok(expect));
        assert_eq!(parse(b"{}"), Ok(Line::default()));
    }

    #[test]
    fn other_json_is_sent_as_json() {
        let line = parse(br#"{"value":{"a":[1,2]}}"#).expect("any JSON is a value");
        assert_eq!(line.value.as_deref(), Some(&br#"{"a":[1,2]}"#[..]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, what) in [
            ("[1]", "not a JSON object"),
            ("nonsense", "not JSON"),
            (r#"{"vlaue":"x"}"#, "'vlaue'"),
            (r#"{"value":"x","valueBase64":"eA=="}"#, "both"),
            (r#"{"keyBase64":"?"}"#, "'keyBase64' is not Base64"),
            (r#"{"partition":1.5}"#, "'partition'"),
            (r#"{"headers":{"a":"b"}}"#, "'headers'"),
        ] {
            let error = parse(line.as_bytes()).expect_err(line);
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
