//! Bytes that are not a batch.

use std::fmt;

/// The reason why bytes are not a batch of magic 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does.
    Truncated {
        /// Bytes that are there.
        have_bytes: usize,
        /// Bytes that are needed to go on: those of a header, or, once that is there, of the whole batch.
        need_bytes: usize,
    },
    /// A length field that is smaller than any batch.
    Length(i32),
    /// A magic other than 2. 0 and 1 are the formats from before Kafka 0.11, which only readers of logs
    /// accept.
    Magic(i8),
    /// The checksum in the header is not that of the bytes.
    Crc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Truncated { have_bytes, need_bytes } => {
                write!(f, "the batch is truncated: {have_bytes} bytes of at least {need_bytes}")
            }
            BatchError::Length(length) => write!(f, "no batch has the length {length}"),
            BatchError::Magic(magic) => write!(f, "the batch has the magic {magic}, not 2"),
            BatchError::Crc { stored, computed } => {
                write!(
                    f,
                    "the checksum of the batch is {computed:#010x} and not {stored:#010x} as its header says"
                )
            }
        }
    }
}

impl std::error::Error for BatchError {}
