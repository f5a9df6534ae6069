//! Lengths, headers, and records that are sent without copying.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::frame::{self, LENGTH_BYTES, RequestError, decode_request, decode_response};
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchResponse, MetadataRequest, SaslHandshakeRequest,
};
use protocol::wire::Chunk;
use protocol::{ApiKey, DecodeErrorKind, EncodeErrorKind, ErrorCode, Records, Writer};

/// Splits a frame from its length.
fn body(frame: &Bytes) -> Bytes {
    let length = i32::from_be_bytes(frame[..LENGTH_BYTES].try_into().unwrap());
    assert_eq!(length as usize, frame.len() - LENGTH_BYTES);
    frame.slice(LENGTH_BYTES..)
}

#[test]
fn a_request_is_read_as_it_was_written() {
    for (version, client_id) in [(8, Some("me".into())), (9, Some("".into())), (13, None)] {
        let message = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let frame = frame::encode_request(77, client_id.clone(), &message, version, Writer::new()).unwrap();
        let request = decode_request(body(&frame.into_bytes())).unwrap();
        assert_eq!(
            (ApiKey::Metadata, version, 77),
            (request.api_key, request.version, request.correlation_id)
        );
        assert_eq!(client_id, request.client_id);
        assert_eq!(message, request.decode().unwrap());
    }
}

#[test]
fn the_header_of_a_request_has_the_bytes_of_the_protocol() {
    let message = ApiVersionsRequest::default();
    let frame = frame::encode_request(5, Some("ab".into()), &message, 3, Writer::new()).unwrap();
    // Length; key, version, correlation id; a client id of the old form; no tags; two empty strings; no tags.
    let expected = [0, 0, 0, 16, 0, 18, 0, 3, 0, 0, 0, 5, 0, 2, b'a', b'b', 0, 1, 1, 0];
    assert_eq!(&expected[..], frame.into_bytes());

    let message = SaslHandshakeRequest { mechanism: "X".into() };
    let frame = frame::encode_request(5, None, &message, 1, Writer::new()).unwrap();
    assert_eq!(&[0, 0, 0, 13, 0, 17, 0, 1, 0, 0, 0, 5, 0xff, 0xff, 0, 1, b'X'][..], frame.into_bytes());
}

#[test]
fn a_response_of_api_versions_never_has_tags_in_its_header() {
    let message = ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..Default::default() };
    let frame = frame::encode_response(9, &message, 3, Writer::new()).unwrap().into_bytes();
    assert_eq!(&[0, 0, 0, 12, 0, 0, 0, 9, 0, 35, 1, 0, 0, 0, 0, 0][..], frame);
    assert_eq!((9, message), decode_response(body(&frame), 3).unwrap());
}

#[test]
fn a_request_of_an_unknown_version_still_tells_whom_to_answer() {
    let mut bytes = BytesMut::new();
    bytes.put_slice(&[0, 18, 0x12, 0x34, 0, 0, 0, 7, 0xff, 0xff, 0]);
    bytes.put_slice(b"whatever a later version has");
    let request = decode_request(bytes.freeze()).unwrap();
    assert_eq!((ApiKey::ApiVersions, 0x1234, 7), (request.api_key, request.version, request.correlation_id));
    let error = request.decode::<ApiVersionsRequest>().unwrap_err();
    assert_eq!(DecodeErrorKind::UnsupportedVersion, error.kind);
}

#[test]
fn a_frame_that_is_no_request_is_refused() {
    for key in [-1i16, 93, i16::MAX] {
        let mut bytes = key.to_be_bytes().to_vec();
        bytes.extend([0; 20]);
        assert_eq!(RequestError::UnknownApi(key), decode_request(bytes.into()).unwrap_err());
    }
    let whole = [0, 3, 0, 9, 0, 0, 0, 5, 0, 1, b'a', 0];
    for len in 0..whole.len() {
        let error = decode_request(Bytes::copy_from_slice(&whole[..len])).unwrap_err();
        assert!(
            matches!(error, RequestError::Header(error) if error.kind == DecodeErrorKind::Truncated),
            "{len}: {error}"
        );
    }
    let error =
        decode_request(Bytes::copy_from_slice(&whole)).unwrap().decode::<MetadataRequest>().unwrap_err();
    assert_eq!((DecodeErrorKind::Truncated, "MetadataRequest.topics"), (error.kind, error.field));
}

/// The bytes of librdkafka's request for all topics: four bytes for a count that takes one.
#[test]
fn bytes_behind_a_message_are_passed_over() {
    let request = MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
    let frame = frame::encode_request(1, None, &request, 13, Writer::new()).unwrap();
    let mut bytes = BytesMut::from(&body(&frame.into_bytes())[..]);
    bytes.put_slice(&[0; 3]);
    assert_eq!(request, decode_request(bytes.freeze()).unwrap().decode::<MetadataRequest>().unwrap());
}

fn fetched(records: &[Records]) -> FetchResponse {
    let partitions = records.iter().zip(0..).map(|(records, partition_index)| PartitionData {
        partition_index,
        records: records.clone(),
        ..PartitionData::default()
    });
    let topic = FetchableTopicResponse { partitions: partitions.collect(), ..Default::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

#[test]
fn records_from_elsewhere_have_their_place_and_their_length() {
    let [a, b, c] = [70_000, 3, 5000].map(|len| Bytes::from(vec![len as u8; len]));
    let in_memory = fetched(&[a.clone(), b.clone(), c.clone()].map(Records::Bytes));
    let elsewhere =
        [Records::External { len: 70_000 }, Records::External { len: 3 }, Records::Bytes(c.clone())];
    for version in [4, 11, 12, 18] {
        let expected = frame::encode_response(1, &in_memory, version, Writer::new()).unwrap().into_bytes();
        let frame = frame::encode_response(1, &fetched(&elsewhere), version, Writer::new()).unwrap();
        assert_eq!(expected.len(), frame.len());
        let mut sent = Vec::new();
        let mut places = [&a, &b].into_iter();
        for chunk in frame.into_chunks() {
            match chunk {
                Chunk::Bytes(bytes) => {
                    if bytes.len() == c.len() {
                        assert_eq!(c.as_ptr(), bytes.as_ptr(), "large records are not copied");
                    }
                    sent.extend_from_slice(&bytes);
                }
                Chunk::External { len } => {
                    let bytes = places.next().expect("two are elsewhere");
                    assert_eq!(len, bytes.len());
                    sent.extend_from_slice(bytes);
                }
            }
        }
        assert_eq!(None, places.next());
        assert_eq!(expected, sent, "version {version}");
        let (_, again) = decode_response::<FetchResponse>(body(&expected), version).unwrap();
        assert_eq!(in_memory, again);
    }
}

#[test]
fn received_records_are_a_slice_of_the_frame() {
    let response = fetched(&[Records::Bytes(Bytes::from(vec![1; 5000]))]);
    let frame = body(&frame::encode_response(1, &response, 12, Writer::new()).unwrap().into_bytes());
    let (_, response) = decode_response::<FetchResponse>(frame.clone(), 12).unwrap();
    let records = response.responses[0].partitions[0].records.as_bytes().unwrap();
    assert!(frame.as_ptr_range().contains(&records.as_ptr()));
}

#[test]
fn a_frame_is_no_longer_than_its_length_can_say() {
    let response = fetched(&[i32::MAX as usize, 1000].map(|len| Records::External { len }));
    let error = frame::encode_response(1, &response, 12, Writer::new()).unwrap_err();
    assert_eq!((EncodeErrorKind::FrameTooLong, "FetchResponse"), (error.kind, error.field));
}

#[test]
fn text_is_no_longer_than_its_length_can_say() {
    for version in [0, 1] {
        let handshake = |len| SaslHandshakeRequest { mechanism: "x".repeat(len).into() };
        frame::encode_request(1, None, &handshake(32_767), version, Writer::new()).unwrap();
        let error = frame::encode_request(1, None, &handshake(32_768), version, Writer::new()).unwrap_err();
        assert_eq!(
            (EncodeErrorKind::StringTooLong, "SaslHandshakeRequest.mechanism"),
            (error.kind, error.field)
        );
    }
    let topic = MetadataRequestTopic { name: Some("x".repeat(32_768).into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
    let error = frame::encode_request(1, None, &request, 12, Writer::new()).unwrap_err();
    assert_eq!((EncodeErrorKind::StringTooLong, "MetadataRequestTopic.name"), (error.kind, error.field));
}

#[test]
fn a_response_is_read_to_its_end() {
    let frame = frame::encode_response(9, &ApiVersionsResponse::default(), 3, Writer::new()).unwrap();
    let more = [&body(&frame.into_bytes())[..], &[0]].concat();
    let error = decode_response::<ApiVersionsResponse>(more.into(), 3).unwrap_err();
    assert_eq!(DecodeErrorKind::TrailingBytes, error.kind);
}

#[test]
fn what_is_secret_is_not_printed() {
    use protocol::messages::SaslAuthenticateRequest;
    let message = SaslAuthenticateRequest { auth_bytes: Bytes::from_static(b"hunter2") };
    assert_eq!("SaslAuthenticateRequest { auth_bytes: <secret> }", format!("{message:?}"));
}
