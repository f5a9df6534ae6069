//! The records that a cluster keeps about itself, and the frames around them.
//!
//! A coordinator's record has a key, which starts with the record's type, and a value, which starts with its
//! version (`CoordinatorRecordSerde.java`). A metadata or tiered-storage record has no key, and its value
//! starts with a frame version, the record's type and its version (`AbstractApiMessageSerde.java`).

pub mod named_record;

use bytes::Bytes;

pub use crate::generated::records::*;
use crate::wire::DecodeErrorKind;
use crate::{DecodeError, EncodeError, Message, Reader, Writer};

/// The key of a coordinator's record.
pub trait CoordinatorKey: Message {
    /// The type before the key.
    const RECORD_TYPE: i16;
}

/// The value of a coordinator's record.
pub trait CoordinatorValue: Message {
    /// The type before the key of the same record.
    const RECORD_TYPE: i16;
}

/// A record of the metadata log or of tiered storage.
pub trait FramedRecord: Message {
    /// The type in the record's frame.
    const API_KEY: i16;
}

/// The only version of keys: a change would make them other keys.
const KEY_VERSION: i16 = 0;

/// The only version of the frame around metadata records.
const FRAME_VERSION: u32 = 1;

/// Memory that a persisted record may take for each of its bytes. The cluster must be able to read its own
/// records again, so this is generous: the bytes were bounded when they came in.
const MEMORY_FACTOR: usize = 64;

/// Memory that even the smallest record may take.
const MEMORY_FLOOR_BYTES: usize = 1024 * 1024;

fn reader(bytes: Bytes) -> Reader {
    let memory = bytes.len().saturating_mul(MEMORY_FACTOR).saturating_add(MEMORY_FLOOR_BYTES);
    Reader::with_memory_limit(bytes, memory)
}

/// Coordinators' keys: `i16` type, then the key.
pub mod coordinator_key {
    use super::{Bytes, CoordinatorKey, DecodeError, EncodeError, KEY_VERSION, Reader, Writer, reader};

    /// Encodes the type and the key.
    ///
    /// # Errors
    /// An error if a string is longer than the protocol allows.
    pub fn encode<K: CoordinatorKey>(key: &K) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::new();
        writer.i16(K::RECORD_TYPE);
        key.encode(&mut writer, KEY_VERSION)?;
        Ok(writer.finish().into_bytes())
    }

    /// Reads the type and leaves the key in the reader, for [`decode_rest`].
    ///
    /// # Errors
    /// An error if the bytes are too short for a type.
    pub fn split(bytes: Bytes) -> Result<(i16, Reader), DecodeError> {
        let mut reader = reader(bytes);
        let record_type = reader.i16("record type")?;
        Ok((record_type, reader))
    }

    /// Decodes the key that [`split`] has left, to its end.
    ///
    /// # Errors
    /// An error if the bytes are not the key.
    pub fn decode_rest<K: CoordinatorKey>(mut reader: Reader) -> Result<K, DecodeError> {
        let key = K::decode(&mut reader, KEY_VERSION)?;
        reader.finish()?;
        Ok(key)
    }
}

/// Coordinators' values: `i16` version, then the value.
pub mod coordinator_value {
    use super::{Bytes, CoordinatorValue, DecodeError, EncodeError, Writer, reader};

    /// Encodes the version and the value.
    ///
    /// # Errors
    /// An error if the value does not fit the version.
    pub fn encode<V: CoordinatorValue>(value: &V, version: i16) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::new();
        writer.i16(version);
        value.encode(&mut writer, version)?;
        Ok(writer.finish().into_bytes())
    }

    /// Decodes the version and the value, to its end.
    ///
    /// # Errors
    /// An error if the bytes are not the value.
    pub fn decode<V: CoordinatorValue>(bytes: Bytes) -> Result<V, DecodeError> {
        let mut reader = reader(bytes);
        let version = reader.i16("value version")?;
        let value = V::decode(&mut reader, version)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Values of the metadata log and of tiered storage: frame version, type and version as unsigned varints, then
/// the record.
pub mod framed {
    use super::{
        Bytes, DecodeError, DecodeErrorKind, EncodeError, FRAME_VERSION, FramedRecord, Reader, Writer, reader,
    };

    /// Encodes the frame and the record.
    ///
    /// # Errors
    /// An error if the record does not fit the version.
    pub fn encode<R: FramedRecord>(record: &R, version: i16) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::new();
        writer.uvarint(FRAME_VERSION);
        writer.uvarint(u32::from(R::API_KEY.unsigned_abs()));
        writer.uvarint(u32::from(version.unsigned_abs()));
        record.encode(&mut writer, version)?;
        Ok(writer.finish().into_bytes())
    }

    /// Reads the frame and leaves the record in the reader: its type, its version and the reader, for
    /// [`decode_rest`].
    ///
    /// # Errors
    /// An error if the bytes do not start with a frame of the known version.
    pub fn split(bytes: Bytes) -> Result<(i16, i16, Reader), DecodeError> {
        let mut reader = reader(bytes);
        if reader.uvarint("frame version")? != FRAME_VERSION {
            return Err(reader.error(DecodeErrorKind::UnsupportedVersion, "frame version"));
        }
        let api_key = narrow(&mut reader, "record type")?;
        let version = narrow(&mut reader, "record version")?;
        Ok((api_key, version, reader))
    }

    fn narrow(reader: &mut Reader, field: &'static str) -> Result<i16, DecodeError> {
        let wide = reader.uvarint(field)?;
        i16::try_from(wide).map_err(|_| reader.error(DecodeErrorKind::UnknownType, field))
    }

    /// Decodes the record that [`split`] has left, to its end.
    ///
    /// # Errors
    /// An error if the bytes are not the record.
    pub fn decode_rest<R: FramedRecord>(mut reader: Reader, version: i16) -> Result<R, DecodeError> {
        let record = R::decode(&mut reader, version)?;
        reader.finish()?;
        Ok(record)
    }
}
