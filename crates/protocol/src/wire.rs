//! The primitive types of Kafka's protocol, with their encoding and decoding.

mod error;
mod reader;
mod records;
mod string;
mod uuid;
mod varint;
mod writer;

pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use reader::Reader;
pub use records::Records;
pub use string::Str;
pub use uuid::Uuid;
pub use varint::{MAX_UVARINT_BYTES, UvarintError, get_uvarint, put_uvarint, uvarint_bytes};
pub use writer::{Chunk, Frame, Writer};
