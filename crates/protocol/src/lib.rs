//! Kafka's messages as bytes: requests, responses and the records that a cluster keeps about itself.
//!
//! The messages are generated from `schemas/`. Nothing here does IO or knows what a message is for.
//! Whatever is decoded may come from an enemy: a mistake gives a [`DecodeError`] that names the field
//! and the offset, and memory is bounded by the bytes received (see [`wire::Reader`]).

mod api_key;
mod error_code;
pub mod frame;
mod generated;
mod message;
pub mod records;
pub mod wire;

pub use api_key::ApiKey;
pub use bytes::Bytes;
pub use error_code::ErrorCode;
pub use generated::messages;
pub use message::{Message, Request, Response};
pub use wire::{
    DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Records, Str, Uuid, Writer,
};

include!(concat!(env!("OUT_DIR"), "/every_message.rs"));
