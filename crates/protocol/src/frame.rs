//! Requests and responses on a connection: four bytes of length, a header, the message.

use bytes::Bytes;

use crate::messages::{RequestHeader, ResponseHeader};
use crate::wire::{DecodeErrorKind, EncodeErrorKind, Frame};
use crate::{ApiKey, DecodeError, EncodeError, Message, Reader, Request, Response, Str, Writer};

/// Bytes of the length before each request and response, which does not count itself.
pub const LENGTH_BYTES: usize = 4;

/// Encodes a response with its length and its header.
///
/// # Errors
/// An error if the message does not fit `version`, or its length does not fit 31 bits.
pub fn encode_response<M: Response>(
    correlation_id: i32,
    message: &M,
    version: i16,
    writer: Writer,
) -> Result<Frame, EncodeError> {
    let header = ResponseHeader { correlation_id };
    encode(&header, M::API_KEY.response_header_version(version), message, version, writer)
}

/// Encodes a request with its length and its header.
///
/// # Errors
/// An error if the message does not fit `version`, or its length does not fit 31 bits.
pub fn encode_request<M: Request>(
    correlation_id: i32,
    client_id: Option<Str>,
    message: &M,
    version: i16,
    writer: Writer,
) -> Result<Frame, EncodeError> {
    let header = RequestHeader {
        request_api_key: M::API_KEY.as_i16(),
        request_api_version: version,
        correlation_id,
        client_id,
    };
    encode(&header, M::API_KEY.request_header_version(version), message, version, writer)
}

fn encode<H: Message, M: Message>(
    header: &H,
    header_version: i16,
    message: &M,
    version: i16,
    mut writer: Writer,
) -> Result<Frame, EncodeError> {
    assert!(writer.is_empty(), "a frame starts with its length");
    writer.i32(0);
    header.encode(&mut writer, header_version)?;
    message.encode(&mut writer, version)?;
    let length = i32::try_from(writer.len() - LENGTH_BYTES)
        .map_err(|_| EncodeError { kind: EncodeErrorKind::FrameTooLong, field: M::NAME })?;
    writer.patch_i32(0, length);
    Ok(writer.finish())
}

/// A request whose header has been decoded.
#[derive(Debug)]
pub struct ReceivedRequest {
    /// The API.
    pub api_key: ApiKey,
    /// The version of the message. The API may not have it.
    pub version: i16,
    /// The id that the response repeats.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<Str>,
    /// The message, not yet decoded.
    pub body: Reader,
}

impl ReceivedRequest {
    /// Decodes the message.
    ///
    /// Bytes after it are ignored, as in Kafka: librdkafka leaves three of them after a Metadata request for
    /// all topics from version 9 on, because it reserves four bytes for a count that takes one.
    ///
    /// # Errors
    /// An error if the bytes are not the message.
    pub fn decode<M: Request>(mut self) -> Result<M, DecodeError> {
        debug_assert_eq!(M::API_KEY, self.api_key, "the caller has chosen the message by the key");
        M::decode(&mut self.body, self.version)
    }
}

/// The reason why a frame is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No API has this key, so not even the header's form is known.
    UnknownApi(i16),
    /// The header is invalid.
    Header(DecodeError),
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RequestError::UnknownApi(key) => write!(f, "no API has the key {key}"),
            RequestError::Header(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

/// Decodes the header of a request. `frame` is the part after the length.
///
/// # Errors
/// An error if no API has the request's key, or if the header is invalid.
pub fn decode_request(frame: Bytes) -> Result<ReceivedRequest, RequestError> {
    let mut body = Reader::new(frame);
    let (key, version) = peek_api(&body).map_err(RequestError::Header)?;
    let api_key = ApiKey::from_i16(key).ok_or(RequestError::UnknownApi(key))?;
    let header = RequestHeader::decode(&mut body, api_key.request_header_version(version));
    let RequestHeader { correlation_id, client_id, .. } = header.map_err(RequestError::Header)?;
    Ok(ReceivedRequest { api_key, version, correlation_id, client_id, body })
}

/// Reads the key and the version, which determine the form of the header that contains them.
fn peek_api(body: &Reader) -> Result<(i16, i16), DecodeError> {
    let mut peek = body.clone();
    Ok((peek.i16("RequestHeader.request_api_key")?, peek.i16("RequestHeader.request_api_version")?))
}

/// Decodes a response to its end. `frame` is the part after the length.
///
/// # Errors
/// An error if the bytes are not the response in `version`, or if more bytes follow it.
pub fn decode_response<M: Response>(frame: Bytes, version: i16) -> Result<(i32, M), DecodeError> {
    let mut reader = Reader::new(frame);
    let header = ResponseHeader::decode(&mut reader, M::API_KEY.response_header_version(version))?;
    let message = M::decode(&mut reader, version)?;
    reader.finish()?;
    Ok((header.correlation_id, message))
}

/// Reads only the correlation id of a response, which identifies its request.
///
/// # Errors
/// An error if the frame is too short to have one.
pub fn peek_correlation_id(frame: &[u8]) -> Result<i32, DecodeError> {
    let field = "ResponseHeader.correlation_id";
    let bytes = frame.first_chunk::<4>();
    let bytes = bytes.ok_or(DecodeError { kind: DecodeErrorKind::Truncated, field, offset: 0 })?;
    Ok(i32::from_be_bytes(*bytes))
}
