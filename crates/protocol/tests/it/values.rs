//! Ids, text, integers, error codes and the table of APIs, each as Kafka has them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use protocol::wire::{UvarintError, get_uvarint, put_uvarint, uvarint_bytes};
use protocol::{ApiKey, ErrorCode, Str, Uuid};

const APIS: &str = include_str!("../capture/apis.txt");
const ERRORS: &str = include_str!("../capture/errors.txt");

#[test]
fn the_table_of_apis_is_that_of_kafka() {
    let mut table = String::new();
    for api in ApiKey::all() {
        let stability = if api.latest_version_unstable() { "unstable" } else { "stable" };
        write!(table, "{} {api} {stability}", api.as_i16()).unwrap();
        for v in api.versions() {
            write!(table, " {v}:{}:{}", api.request_header_version(v), api.response_header_version(v))
                .unwrap();
        }
        table.push('\n');
    }
    for (expected, found) in APIS.lines().zip(table.lines()) {
        assert_eq!(expected, found);
    }
    assert_eq!(APIS.lines().count(), table.lines().count());
}

#[test]
fn a_key_finds_its_api() {
    for api in ApiKey::all() {
        assert_eq!(Some(api), ApiKey::from_i16(api.as_i16()));
    }
    assert_eq!([None; 4], [-1, 93, i16::MIN, i16::MAX].map(ApiKey::from_i16));
    assert_eq!(Some(ApiKey::DeleteShareGroupOffsets), ApiKey::from_i16(92));
}

#[test]
fn error_codes_are_those_of_kafka() {
    let mut table = String::new();
    for error in ErrorCode::all() {
        let retriable = if error.is_retriable() { "retriable" } else { "final" };
        writeln!(table, "{} {error} {retriable}", error.0).unwrap();
    }
    assert_eq!(ERRORS, table);
    assert_eq!(3, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    assert_eq!(("UNKNOWN", false), (ErrorCode(777).name(), ErrorCode(777).is_retriable()));
    assert_eq!("NOT_CONTROLLER(41)", format!("{:?}", ErrorCode::NOT_CONTROLLER));
    assert!(ErrorCode::default().is_none() && !ErrorCode::NONE.is_error());
    assert!(ErrorCode::UNKNOWN_SERVER_ERROR.is_error());
    let sentences: BTreeMap<&str, ErrorCode> =
        ErrorCode::all().map(|error| (error.message(), error)).collect();
    assert_eq!(ErrorCode::all().count(), sentences.len(), "no two errors say the same");
}

#[test]
fn ids_are_spelled_as_in_kafka() {
    let id = Uuid(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes());
    for (text, id) in [
        ("ASNFZ4mrze_-3LqYdlQyEA", id),
        ("AAAAAAAAAAAAAAAAAAAAAA", Uuid::ZERO),
        ("AAAAAAAAAAAAAAAAAAAAAQ", Uuid::ONE),
        ("_____________________w", Uuid([0xff; 16])),
    ] {
        assert_eq!(text, id.to_string());
        assert_eq!(Ok(id), text.parse());
        assert_eq!(Ok(id), format!("{text}==").parse());
    }
    for text in ["", "A", "ASNFZ4mrze_-3LqYdlQyE", "ASNFZ4mrze_-3LqYdlQyEAA", "ASNFZ4mrze/-3LqYdlQyEA"] {
        assert!(text.parse::<Uuid>().is_err(), "{text}");
    }
    // Bits beyond the 128 would be lost.
    assert!("AAAAAAAAAAAAAAAAAAAAAB".parse::<Uuid>().is_err());
    assert!(Uuid::ZERO.is_zero() && !Uuid::ONE.is_zero());
    assert!(Uuid::ZERO < Uuid::ONE);
}

#[test]
fn text_is_shared_until_it_is_detached() {
    let input = Bytes::from(b"some topic".to_vec());
    let text = Str::try_from(input.slice(5..)).unwrap();
    assert_eq!("topic", text);
    assert!(input.as_ptr_range().contains(&text.as_ptr()));
    assert_eq!(text.as_ptr(), text.clone().as_ptr());
    let detached = text.detached();
    assert_eq!(text, detached);
    assert!(!input.as_ptr_range().contains(&detached.as_ptr()));
    assert!(Str::try_from(Bytes::from_static(b"\xff")).is_err());
    let map = HashMap::from([(text, 1)]);
    assert_eq!(Some(&1), map.get("topic"));
}

#[test]
fn integers_of_variable_length() {
    for (value, bytes) in [
        (0, &[0][..]),
        (127, &[0x7f]),
        (128, &[0x80, 1]),
        (300, &[0xac, 2]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 1]),
        (2_097_151, &[0xff, 0xff, 0x7f]),
        (2_097_152, &[0x80, 0x80, 0x80, 1]),
        (268_435_456, &[0x80, 0x80, 0x80, 0x80, 1]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        let mut out = BytesMut::new();
        put_uvarint(&mut out, value);
        assert_eq!(bytes, out);
        assert_eq!(bytes.len(), uvarint_bytes(value));
        assert_eq!(Ok((value, bytes.len())), get_uvarint(bytes));
        for len in 0..bytes.len() {
            assert_eq!(Err(UvarintError::Truncated), get_uvarint(&bytes[..len]));
        }
    }
    // Padding is not an error as long as it fits: some writers leave a fixed room for a length.
    assert_eq!(Ok((1, 5)), get_uvarint(&[0x81, 0x80, 0x80, 0x80, 0]));
    assert_eq!(Err(UvarintError::TooLong), get_uvarint(&[0x80, 0x80, 0x80, 0x80, 0x10]));
    assert_eq!(Err(UvarintError::TooLong), get_uvarint(&[0xff; 10]));
}
