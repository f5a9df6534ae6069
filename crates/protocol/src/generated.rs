//! The generated messages, and their common parts.

pub(crate) use bytes::Bytes;

pub(crate) use crate::error_code::ErrorCode;
pub(crate) use crate::fields::{FieldValue, Fields};
pub(crate) use crate::wire::{DecodeError, EncodeError, Reader, Records, Str, Uuid, Writer};

/// Stands for a secret value in a message's `Debug`.
pub(crate) struct Secret;

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// Requests, responses and their headers: one module a message, the message itself also here.
#[allow(missing_docs, reason = "fields have Kafka's names, and the schemas say the rest")]
#[allow(clippy::all, unused_mut, unused_variables, unreachable_pub, reason = "generated alike for all")]
#[rustfmt::skip]
pub mod messages {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

/// Persisted records.
#[allow(missing_docs, reason = "fields have Kafka's names, and the schemas say the rest")]
#[allow(clippy::all, unused_mut, unused_variables, unreachable_pub, reason = "generated alike for all")]
#[rustfmt::skip]
pub mod records {
    include!(concat!(env!("OUT_DIR"), "/records.rs"));
}

macro_rules! message {
    ($name:ident, $low:literal, $high:literal, $flexible:expr) => {
        impl crate::Message for $name {
            const NAME: &'static str = stringify!($name);
            const VERSIONS: std::ops::RangeInclusive<i16> = $low..=$high;
            const FLEXIBLE_SINCE: Option<i16> = $flexible;

            #[inline]
            fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
                if !($low..=$high).contains(&version) {
                    return Err(reader.unsupported_version(stringify!($name)));
                }
                Self::read(reader, version)
            }

            #[inline]
            fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                if !($low..=$high).contains(&version) {
                    return Err(EncodeError::unsupported_version(stringify!($name)));
                }
                self.write(writer, version)
            }
        }
    };
}

macro_rules! request {
    ($name:ident, $key:ident, $response:ident) => {
        impl crate::Request for $name {
            const API_KEY: crate::ApiKey = crate::ApiKey::$key;
            type Response = super::$response;
        }
    };
}

macro_rules! response {
    ($name:ident, $key:ident) => {
        impl crate::Response for $name {
            const API_KEY: crate::ApiKey = crate::ApiKey::$key;
        }
    };
}

macro_rules! record_key {
    ($name:ident, $key:literal) => {
        impl crate::records::CoordinatorKey for $name {
            const RECORD_TYPE: i16 = $key;
        }
    };
}

macro_rules! record_value {
    ($name:ident, $key:literal) => {
        impl crate::records::CoordinatorValue for $name {
            const RECORD_TYPE: i16 = $key;
        }
    };
}

macro_rules! record {
    ($name:ident, $key:literal) => {
        impl crate::records::FramedRecord for $name {
            const API_KEY: i16 = $key;
        }
    };
}

pub(crate) use {message, record, record_key, record_value, request, response};
