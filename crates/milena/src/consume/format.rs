//! The format of a printed record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::consumer::ConsumedRecord;
use record::NO_TIMESTAMP;
use serde_json::{Map, Value, json};

use crate::escape::unescape;
use crate::time;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Field {
    Topic,
    Partition,
    Offset,
    /// In milliseconds since the epoch.
    TimestampMs,
    Timestamp,
    Headers,
    Key,
    Value,
    #[value(skip)]
    KeyBytes,
    #[value(skip)]
    ValueBytes,
}

impl Format {
    /// Parses a template. Its letters are those of kcat.
    pub(super) fn parse(template: &str) -> Result<Format, String> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some(at) = rest.find('%') {
            pieces.push(Piece::Text(unescape(&rest[..at])?));
            let mut after = rest[at + 1..].chars();
            pieces.push(match after.next() {
                Some('%') => Piece::Text(b"%".to_vec()),
                Some(letter) => Piece::Field(field(letter).ok_or_else(|| {
                    format!("%{letter} is unknown; use one of %k %s %t %p %o %T %D %h %K %S %%")
                })?),
                None => {
                    return Err("a template cannot end with a single %; %% prints a percent sign".to_owned());
                }
            });
            rest = after.as_str();
        }
        pieces.push(Piece::Text(unescape(rest)?));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Format { pieces })
    }

    /// Prints these fields, separated by tabs, a record a line.
    pub(super) fn of_fields(fields: &[Field]) -> Format {
        let mut pieces = Vec::new();
        for (index, &field) in fields.iter().enumerate() {
            if index > 0 {
                pieces.push(Piece::Text(b"\t".to_vec()));
            }
            pieces.push(Piece::Field(field));
        }
        pieces.push(Piece::Text(b"\n".to_vec()));
        Format { pieces }
    }

    /// Appends a record to `out`; `null` stands for a null key or value.
    pub(super) fn write(&self, record: &ConsumedRecord, null: &[u8], out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Field(field) => write_field(*field, record, null, out),
            }
        }
    }
}

fn field(letter: char) -> Option<Field> {
    Some(match letter {
        't' => Field::Topic,
        'p' => Field::Partition,
        'o' => Field::Offset,
        'T' => Field::TimestampMs,
        'D' => Field::Timestamp,
        'h' => Field::Headers,
        'k' => Field::Key,
        's' => Field::Value,
        'K' => Field::KeyBytes,
        'S' => Field::ValueBytes,
        _ => return None,
    })
}

fn write_field(field: Field, record: &ConsumedRecord, null: &[u8], out: &mut Vec<u8>) {
    let length = |part: &Option<bytes::Bytes>| match part {
        Some(bytes) => bytes.len().to_string(),
        None => "-1".to_owned(),
    };
    match field {
        Field::Topic => out.extend_from_slice(record.topic.as_bytes()),
        Field::Partition => out.extend_from_slice(record.partition.to_string().as_bytes()),
        Field::Offset => out.extend_from_slice(record.offset.to_string().as_bytes()),
        Field::TimestampMs => out.extend_from_slice(record.timestamp_ms.to_string().as_bytes()),
        Field::Timestamp if record.timestamp_ms == NO_TIMESTAMP => out.push(b'-'),
        Field::Timestamp => out.extend_from_slice(time::format(record.timestamp_ms).as_bytes()),
        Field::Headers => {
            for (index, (name, value)) in record.headers.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(name);
                out.push(b'=');
                out.extend_from_slice(value.as_deref().unwrap_or(null));
            }
        }
        Field::Key => out.extend_from_slice(record.key.as_deref().unwrap_or(null)),
        Field::Value => out.extend_from_slice(record.value.as_deref().unwrap_or(null)),
        Field::KeyBytes => out.extend_from_slice(length(&record.key).as_bytes()),
        Field::ValueBytes => out.extend_from_slice(length(&record.value).as_bytes()),
    }
}

/// A record as JSON. Bytes that are not UTF-8 are printed as Base64 under another name.
pub(super) fn json(record: &ConsumedRecord) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(&*record.topic));
    object.insert("partition".to_owned(), json!(record.partition));
    object.insert("offset".to_owned(), json!(record.offset));
    let timestamp_ms = Some(record.timestamp_ms).filter(|&timestamp_ms| timestamp_ms != NO_TIMESTAMP);
    object.insert("timestamp".to_owned(), json!(timestamp_ms));
    if record.leader_epoch >= 0 {
        object.insert("leaderEpoch".to_owned(), json!(record.leader_epoch));
    }
    let header = |(name, value): &(bytes::Bytes, Option<bytes::Bytes>)| {
        let mut header = Map::new();
        header.insert("key".to_owned(), json!(String::from_utf8_lossy(name)));
        insert_bytes(&mut header, "value", value.as_deref());
        Value::Object(header)
    };
    if !record.headers.is_empty() {
        object.insert("headers".to_owned(), record.headers.iter().map(header).collect());
    }
    insert_bytes(&mut object, "key", record.key.as_deref());
    insert_bytes(&mut object, "value", record.value.as_deref());
    Value::Object(object)
}

fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => object.insert(name.to_owned(), Value::Null),
        Some((_, Ok(text))) => object.insert(name.to_owned(), json!(text)),
        Some((bytes, Err(_))) => object.insert(format!("{name}Base64"), json!(STANDARD.encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use client::consumer::ConsumedRecord;

    use super::{Field, Format, json};

    fn record() -> ConsumedRecord {
        ConsumedRecord {
            topic: "t".into(),
            partition: 2,
            offset: 7,
            timestamp_ms: 1_788_264_000_000,
            is_log_append_time: false,
            leader_epoch: 3,
            key: Some(Bytes::from_static(b"k")),
            value: None,
            headers: vec![
                (Bytes::from_static(b"a"), Some(Bytes::from_static(b"1"))),
                (Bytes::from_static(b"b"), None),
            ],
        }
    }

    #[track_caller]
    fn check(format: &Format, expect: &str) {
        let mut out = Vec::new();
        format.write(&record(), b"NULL", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn templates() {
        let parse = |template| Format::parse(template).expect("the template is well formed");
        check(&parse("%s\\n"), "NULL\n");
        check(&parse("%t-%p@%o %k=%s (%K,%S) 100%%\\t"), "t-2@7 k=NULL (1,-1) 100%\t");
        check(&parse("%T %D"), "1788264000000 2026-09-01T12:00:00.000Z");
        check(&parse("%h"), "a=1,b=NULL");
        assert!(
            Format::parse("%x").is_err() && Format::parse("50%").is_err() && Format::parse("\\q").is_err()
        );
    }

    #[test]
    fn fields_stand_between_tabs() {
        check(&Format::of_fields(&[Field::Offset, Field::Key, Field::Value]), "7\tk\tNULL\n");
    }

    #[test]
    fn json_says_all() {
        let expect = r#"{"topic":"t","partition":2,"offset":7,"timestamp":1788264000000,"leaderEpoch":3,"headers":[{"key":"a","value":"1"},{"key":"b","value":null}],"key":"k","value":null}"#;
        let expect: serde_json::Value = serde_json::from_str(expect).expect("it is JSON");
        assert_eq!(json(&record()), expect);
        let binary = ConsumedRecord { value: Some(Bytes::from_static(b"\xff")), ..record() };
        let value = json(&binary);
        assert_eq!(value.get("valueBase64"), Some(&serde_json::json!("/w==")));
        assert_eq!(value.get("value"), None);
    }
}
