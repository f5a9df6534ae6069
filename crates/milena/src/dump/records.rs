//! Keys and values: decoded in internal topics, as bytes elsewhere.

use std::fmt::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::FieldValue;
use protocol::records::named_record::{self, Coordinator, NamedRecord, ShowError};
use record::Record;
use record::control::ControlType;
use serde_json::{Map, Value, json};
use storage::TopicPartition;

use super::kind::Kind;
use super::{BytesFormat, DumpArgs};

/// Decodes the records of a file.
pub(super) struct Decoder {
    contents: Contents,
    format: BytesFormat,
}

/// The contents of a file's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    Coordinator(Coordinator),
    Metadata,
    RemoteLog,
    Plain,
}

impl Contents {
    fn of(path: &Path) -> Contents {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let directory = full.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let topic = TopicPartition::from_dir_name(&directory).map(|partition| partition.topic);
        let topic = topic.unwrap_or_default();
        if name.contains(".checkpoint") || topic == metadata::quorum::METADATA_TOPIC {
            Contents::Metadata
        } else if topic == "__remote_log_metadata" {
            Contents::RemoteLog
        } else {
            Coordinator::of_topic(&topic).map_or(Contents::Plain, Contents::Coordinator)
        }
    }
}

impl Decoder {
    /// Takes the kind from the arguments, or else from the names of the file and of its directory, which is a
    /// partition's.
    pub(super) fn of(path: &Path, args: &DumpArgs) -> Decoder {
        let contents = args.kind.and_then(Kind::contents).unwrap_or_else(|| Contents::of(path));
        Decoder { contents, format: args.bytes }
    }

    /// Whether the records are a broker's own.
    pub(super) fn is_internal(&self) -> bool {
        self.contents != Contents::Plain
    }

    /// Adds the fields of a record to `fields`, or its bytes if it cannot be decoded.
    pub(super) fn insert(
        &self,
        record: &Record<'_>,
        is_control: bool,
        fields: &mut Map<String, Value>,
    ) -> Result<(), ShowError> {
        let decoded = self.decode(record, is_control);
        if let Ok((key, value)) = decoded {
            fields.extend(key.map(|key| ("key".to_owned(), key)));
            fields.insert("value".to_owned(), value);
            return Ok(());
        }
        fields.insert("key".to_owned(), self.bytes(record.key));
        fields.insert("value".to_owned(), self.bytes(record.value));
        let header = |header: record::Header<'_>| json!({ "key": String::from_utf8_lossy(header.key), "value": self.bytes(header.value) });
        if record.headers.len() > 0 {
            fields.insert("headers".to_owned(), record.headers.clone().map(header).collect());
        }
        match decoded {
            Err(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// The decoded key and value, or `Err(None)` if they are not ours to decode.
    fn decode(
        &self,
        record: &Record<'_>,
        is_control: bool,
    ) -> Result<(Option<Value>, Value), Option<ShowError>> {
        let bytes = |part: Option<&[u8]>| Bytes::copy_from_slice(part.unwrap_or_default());
        if is_control {
            let control_type = ControlType::of(record).map_err(|_| None)?.ok_or(None)?;
            let value = named_record::control(control_type.id(), bytes(record.value))?;
            return Ok((Some(json!(format!("{control_type:?}"))), named(&value)));
        }
        match self.contents {
            Contents::Plain => Err(None),
            Contents::Metadata => Ok((None, named(&named_record::metadata(bytes(record.value))?))),
            Contents::RemoteLog => Ok((None, named(&named_record::remote_log(bytes(record.value))?))),
            Contents::Coordinator(coordinator) => {
                let (number, key) = coordinator.key(bytes(record.key))?;
                let value = match record.value {
                    None => Value::Null,
                    Some(value) => named(&coordinator.value(number, Bytes::copy_from_slice(value))?),
                };
                Ok((Some(named(&key)), value))
            }
        }
    }

    fn bytes(&self, bytes: Option<&[u8]>) -> Value {
        let Some(bytes) = bytes else { return Value::Null };
        Value::String(match self.format {
            BytesFormat::Text => String::from_utf8_lossy(bytes).into_owned(),
            BytesFormat::Base64 => STANDARD.encode(bytes),
            BytesFormat::Hex => {
                let mut digits = String::with_capacity(2 * bytes.len());
                for byte in bytes {
                    write!(digits, "{byte:02x}").expect("a string takes all");
                }
                digits
            }
        })
    }
}

fn named(shown: &NamedRecord) -> Value {
    json!({ "type": shown.name, "version": shown.version, "data": value(&shown.fields) })
}

fn value(field: &FieldValue) -> Value {
    match field {
        FieldValue::Null => Value::Null,
        FieldValue::Bool(yes) => json!(yes),
        FieldValue::Int(number) => json!(number),
        FieldValue::Float(number) => json!(number),
        FieldValue::Text(text) => json!(&**text),
        FieldValue::Uuid(id) => json!(id.to_string()),
        FieldValue::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        FieldValue::Secret => json!("<secret>"),
        FieldValue::List(values) => values.iter().map(value).collect(),
        FieldValue::Struct(fields) => {
            Value::Object(fields.iter().map(|(name, field)| ((*name).to_owned(), value(field))).collect())
        }
    }
}
