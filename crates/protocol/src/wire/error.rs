//! The errors of decoding and encoding.

use std::fmt;

/// The bytes are not the expected message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The fault.
    pub kind: DecodeErrorKind,
    /// The field that could not be read, as `Struct.field`, or the struct if it is about its tags.
    pub field: &'static str,
    /// The number of bytes before the fault.
    pub offset: usize,
}

/// The faults of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The input ends inside the field, or the field says that it is longer than the input.
    Truncated,
    /// A length or a count is negative and not null.
    NegativeLength,
    /// Null in a place without null in the schema.
    Null,
    /// A string is longer than 32,767 bytes.
    StringTooLong,
    /// A string is not UTF-8.
    NotUtf8,
    /// A variable-length integer has more bytes or bits than its type.
    VarintTooLong,
    /// Tags are not strictly ascending: one comes twice or out of order.
    TagOrder,
    /// A struct claims more tagged fields than any sender uses.
    TooManyTags,
    /// A tagged field does not fill the size that it gives.
    TagSize,
    /// The values would take far more memory than the bytes that carry them.
    TooMuchMemory,
    /// Bytes follow the message.
    TrailingBytes,
    /// The message does not have this version.
    UnsupportedVersion,
    /// A record's type or frame is unknown.
    UnknownType,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DecodeErrorKind::Truncated => "ends early",
            DecodeErrorKind::NegativeLength => "has a negative length",
            DecodeErrorKind::Null => "is null",
            DecodeErrorKind::StringTooLong => "is too long a string",
            DecodeErrorKind::NotUtf8 => "is not UTF-8",
            DecodeErrorKind::VarintTooLong => "has an overlong integer",
            DecodeErrorKind::TagOrder => "has tags that do not ascend",
            DecodeErrorKind::TooManyTags => "has too many tagged fields",
            DecodeErrorKind::TagSize => "does not fill its tagged field",
            DecodeErrorKind::TooMuchMemory => "would take too much memory",
            DecodeErrorKind::TrailingBytes => "is followed by extra bytes",
            DecodeErrorKind::UnsupportedVersion => "does not have this version",
            DecodeErrorKind::UnknownType => "is of an unknown type",
        };
        write!(f, "{} {what} at byte {}", self.field, self.offset)
    }
}

impl std::error::Error for DecodeError {}

/// A message that a version cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The fault.
    pub kind: EncodeErrorKind,
    /// The field, as `Struct.field`, or the message.
    pub field: &'static str,
}

/// The faults of encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeErrorKind {
    /// The field has a value, but this version does not have the field.
    NotInVersion,
    /// The field is null, but this version does not allow null for it.
    Null,
    /// A string is longer than 32,767 bytes.
    StringTooLong,
    /// The message does not have this version.
    UnsupportedVersion,
    /// The frame would be too long for its length field.
    FrameTooLong,
}

impl EncodeError {
    #[cold]
    pub(crate) fn not_in_version(field: &'static str) -> Self {
        Self { kind: EncodeErrorKind::NotInVersion, field }
    }

    #[cold]
    pub(crate) fn null(field: &'static str) -> Self {
        Self { kind: EncodeErrorKind::Null, field }
    }

    #[cold]
    pub(crate) fn unsupported_version(name: &'static str) -> Self {
        Self { kind: EncodeErrorKind::UnsupportedVersion, field: name }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            EncodeErrorKind::NotInVersion => "has a value that this version cannot carry",
            EncodeErrorKind::Null => "is null in a version that does not allow it",
            EncodeErrorKind::StringTooLong => "is too long a string",
            EncodeErrorKind::UnsupportedVersion => "does not have this version",
            EncodeErrorKind::FrameTooLong => "is too long for a frame",
        };
        write!(f, "{} {what}", self.field)
    }
}

impl std::error::Error for EncodeError {}
