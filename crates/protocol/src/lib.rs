//! Kafka's messages as bytes: requests, responses and the records that a cluster keeps about itself.
//!
//! The messages are generated from `schemas/`. Nothing here does IO or knows what a message is for.
//! Whatever is decoded may come from an enemy: a mistake gives a [`DecodeError`] that names the field
//! and the offset, and memory is bounded by the bytes received (see [`wire::Reader`]).
//!
//! ```
//! use protocol::messages::{MetadataRequest, MetadataResponse};
//! use protocol::{ApiKey, Writer, frame};
//!
//! let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
//! let sent = frame::encode_request(1, Some("me".into()), &request, 13, Writer::new())?;
//!
//! let received = frame::decode_request(sent.into_bytes().slice(frame::LENGTH_BYTES..))?;
//! assert_eq!((ApiKey::Metadata, 13), (received.api_key, received.version));
//! let (version, correlation_id) = (received.version, received.correlation_id);
//! let request: MetadataRequest = received.decode()?;
//! assert_eq!(None, request.topics);
//!
//! let response = MetadataResponse { controller_id: 3, ..MetadataResponse::default() };
//! let frame = frame::encode_response(correlation_id, &response, version, Writer::new())?;
//! for chunk in frame.into_chunks() {
//!     // goes to the socket
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api_key;
mod error_code;
mod fields;
pub mod frame;
mod generated;
mod message;
pub mod records;
pub mod wire;

pub use api_key::ApiKey;
pub use bytes::Bytes;
pub use error_code::ErrorCode;
pub use fields::{FieldValue, Fields};
pub use generated::messages;
pub use message::{Message, Request, Response};
pub use wire::{
    DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Records, Str, Uuid, Writer,
};

include!(concat!(env!("OUT_DIR"), "/every_message.rs"));
