//! Records decoded to names and fields by the types in their bytes, to show a log.

use std::fmt;

use bytes::Bytes;

use crate::fields::{FieldValue, Fields};
use crate::records::{self as kafka, coordinator_key, coordinator_value, framed};
use crate::{DecodeError, Message, Reader};

/// A record, or the key of one.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRecord {
    /// Kafka's name of the record.
    pub name: &'static str,
    /// Its version; for a key the only one, zero.
    pub version: i16,
    /// Its fields, a [`FieldValue::Struct`].
    pub fields: FieldValue,
}

/// The reason why bytes cannot be shown as a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowError {
    /// They are damaged, or of an unknown version.
    Damaged(DecodeError),
    /// The type of the record is unknown.
    UnknownType(i16),
}

impl fmt::Display for ShowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShowError::Damaged(error) => error.fmt(f),
            ShowError::UnknownType(number) => write!(f, "records of type {number} are unknown"),
        }
    }
}

impl std::error::Error for ShowError {}

impl From<DecodeError> for ShowError {
    fn from(error: DecodeError) -> Self {
        ShowError::Damaged(error)
    }
}

/// The coordinator that owns the records of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinator {
    /// The group coordinator: `__consumer_offsets`.
    Group,
    /// The transaction coordinator: `__transaction_state`.
    Transaction,
    /// The share coordinator: `__share_group_state`.
    Share,
}

impl Coordinator {
    /// The coordinator that keeps its records in the topic; `None` for any other topic.
    pub fn of_topic(topic: &str) -> Option<Coordinator> {
        Some(match topic {
            "__consumer_offsets" => Coordinator::Group,
            "__transaction_state" => Coordinator::Transaction,
            "__share_group_state" => Coordinator::Share,
            _ => return None,
        })
    }

    /// The key of a record, and its type, which [`Coordinator::value`] needs.
    ///
    /// # Errors
    /// [`ShowError`] if the bytes are damaged, or of an unknown type.
    pub fn key(self, bytes: Bytes) -> Result<(i16, NamedRecord), ShowError> {
        let (number, reader) = coordinator_key::split(bytes)?;
        let shown = match self {
            Coordinator::Group => found::group_coordinator::key(number, reader),
            Coordinator::Transaction => found::transaction_coordinator::key(number, reader),
            Coordinator::Share => found::share_coordinator::key(number, reader),
        };
        Ok((number, shown?))
    }

    /// The value of a record whose key has this type.
    ///
    /// # Errors
    /// [`ShowError`] if the bytes are damaged, or of an unknown type.
    pub fn value(self, number: i16, bytes: Bytes) -> Result<NamedRecord, ShowError> {
        match self {
            Coordinator::Group => found::group_coordinator::value(number, bytes),
            Coordinator::Transaction => found::transaction_coordinator::value(number, bytes),
            Coordinator::Share => found::share_coordinator::value(number, bytes),
        }
    }
}

/// A record of the metadata log.
///
/// # Errors
/// [`ShowError`] if the bytes are damaged, or of an unknown type.
pub fn metadata(bytes: Bytes) -> Result<NamedRecord, ShowError> {
    let (number, version, reader) = framed::split(bytes)?;
    found::metadata::record(number, reader, version)
}

/// A record of `__remote_log_metadata`.
///
/// # Errors
/// [`ShowError`] if the bytes are damaged, or of an unknown type.
pub fn remote_log(bytes: Bytes) -> Result<NamedRecord, ShowError> {
    let (number, version, reader) = framed::split(bytes)?;
    found::remote_log::record(number, reader, version)
}

/// The value of a control record of the type in its key.
///
/// # Errors
/// [`ShowError`] if the bytes are damaged, or of an unknown type.
pub fn control(number: i16, bytes: Bytes) -> Result<NamedRecord, ShowError> {
    // Each begins with its version. A newer one only adds to it, so it is read as the newest known.
    match number {
        0 | 1 => {
            let mut reader = kafka::reader(bytes);
            let version = reader.i16("EndTxnMarker.version")?;
            let marker = kafka::EndTxnMarker::decode(&mut reader, 0)?;
            Ok(NamedRecord { name: kafka::EndTxnMarker::NAME, version, fields: marker.to_value(0) })
        }
        2 => decode_control::<kafka::LeaderChangeMessage>(bytes),
        3 => decode_control::<kafka::SnapshotHeaderRecord>(bytes),
        4 => decode_control::<kafka::SnapshotFooterRecord>(bytes),
        5 => decode_control::<kafka::KRaftVersionRecord>(bytes),
        6 => decode_control::<kafka::VotersRecord>(bytes),
        number => Err(ShowError::UnknownType(number)),
    }
}

fn decode_control<M: Message + Fields>(bytes: Bytes) -> Result<NamedRecord, ShowError> {
    let version = kafka::reader(bytes.clone()).i16(M::NAME)?.min(*M::VERSIONS.end());
    let record = M::decode(&mut kafka::reader(bytes), version)?;
    Ok(NamedRecord { name: M::NAME, version, fields: record.to_value(version) })
}

fn decode_key<K: kafka::CoordinatorKey + Fields>(reader: Reader) -> Result<NamedRecord, ShowError> {
    let key: K = coordinator_key::decode_rest(reader)?;
    Ok(NamedRecord { name: K::NAME, version: kafka::KEY_VERSION, fields: key.to_value(kafka::KEY_VERSION) })
}

fn decode_value<V: kafka::CoordinatorValue + Fields>(bytes: Bytes) -> Result<NamedRecord, ShowError> {
    let version = kafka::reader(bytes.clone()).i16("value version")?;
    let value: V = coordinator_value::decode(bytes)?;
    Ok(NamedRecord { name: V::NAME, version, fields: value.to_value(version) })
}

fn decode_record<R: kafka::FramedRecord + Fields>(
    reader: Reader,
    version: i16,
) -> Result<NamedRecord, ShowError> {
    let record: R = framed::decode_rest(reader, version)?;
    Ok(NamedRecord { name: R::NAME, version, fields: record.to_value(version) })
}

/// The records by their numbers, a module for each file of schemas.
#[rustfmt::skip]
mod found {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/shown.rs"));
}
