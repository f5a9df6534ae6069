//! Record batches inside a message.

use std::fmt;

use bytes::Bytes;

/// The value of a `records` field: batches that the protocol carries without looking into them.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Records {
    /// Null, which is not the same as zero bytes.
    #[default]
    Null,
    /// Batches in memory. Decoding gives a slice of the input.
    Bytes(Bytes),
    /// `len` bytes that are not in memory. The encoder writes the length and notes the position; the sender
    /// of the message inserts the bytes there. Decoding never returns this.
    External {
        /// The number of bytes.
        len: usize,
    },
}

impl Records {
    /// Whether the field is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Records::Null)
    }

    /// The number of bytes of batches; 0 for null.
    pub fn len(&self) -> usize {
        match self {
            Records::Null => 0,
            Records::Bytes(bytes) => bytes.len(),
            Records::External { len } => *len,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches that are in memory.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            Records::Null | Records::External { .. } => None,
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Records::Bytes(bytes)
    }
}

/// Shows the length alone: records are users' data, and there may be megabytes of them.
impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Records::Null => f.write_str("null"),
            Records::Bytes(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Records::External { len } => write!(f, "<{len} bytes elsewhere>"),
        }
    }
}
