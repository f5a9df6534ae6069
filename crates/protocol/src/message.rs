//! The traits of messages.

use std::ops::RangeInclusive;

use crate::{ApiKey, DecodeError, EncodeError, Reader, Writer};

/// A structure of Kafka's protocol with versions of its own.
pub trait Message: Sized + Default {
    /// Kafka's name of the message.
    const NAME: &'static str;

    /// The versions that the schema knows.
    const VERSIONS: RangeInclusive<i16>;

    /// The first version with compact lengths and tagged fields (KIP-482).
    const FLEXIBLE_SINCE: Option<i16>;

    /// Whether `version` has compact lengths and tagged fields.
    fn is_flexible(version: i16) -> bool {
        Self::FLEXIBLE_SINCE.is_some_and(|since| version >= since)
    }

    /// Decodes the message in `version`. Bytes after it are left in the reader; see [`Reader::finish`].
    ///
    /// # Errors
    /// An error if the version is not in [`Self::VERSIONS`] or the bytes are not the message.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Encodes the message in `version`.
    ///
    /// # Errors
    /// An error if the version is not in [`Self::VERSIONS`], if a field has a value that this version cannot
    /// carry and that must not be lost, or if a string is longer than the protocol allows.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;
}

/// A message that a client sends.
pub trait Request: Message + Sync {
    /// The API that the request calls.
    const API_KEY: ApiKey;

    /// The response to it.
    type Response: Response;
}

/// A message that answers a request.
pub trait Response: Message {
    /// The API that the response belongs to.
    const API_KEY: ApiKey;
}
