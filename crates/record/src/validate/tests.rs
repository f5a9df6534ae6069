//! One test for each reason to reject a batch, and for each change to an accepted one.

mod damage;
mod records;
mod topic;

use super::*;
use crate::Compressor;
use crate::batch::batches;
use crate::builder::BatchBuilder;
use crate::crc::crc32c;
use crate::header::{Attributes, CRC_COVERS_FROM, NO_TIMESTAMP};
use crate::records::{Header, RecordFault};
use crate::varint;

const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TIMESTAMP: i16 = 32;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;

const NOW_MS: i64 = 1_700_000_000_000;
const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn rules() -> ProduceRules {
    ProduceRules {
        request_version: 9,
        now_ms: NOW_MS,
        max_message_bytes: 1 << 20,
        max_decompressed_bytes: 1 << 20,
        max_record_bytes: usize::MAX,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
    }
}

/// A batch with faults that a test makes: its header, and its records before compression.
#[derive(Clone)]
struct Spoilt {
    header: BatchHeader,
    records: Vec<u8>,
}

impl Spoilt {
    /// Three good records.
    fn new() -> Spoilt {
        let mut builder = BatchBuilder::new(Compression::None);
        let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"", value: None }];
        builder.push(NOW_MS - 5, Some(b"k0"), Some(b"zero"), &headers);
        builder.push(NOW_MS - 3, Some(b"k1"), Some(b"one"), &[]);
        builder.push(NOW_MS - 4, Some(b"k2"), None, &[]);
        Spoilt::of(builder)
    }

    fn of(builder: BatchBuilder) -> Spoilt {
        let bytes = builder.build();
        let batch = Batch::parse(&bytes).unwrap();
        Spoilt { header: *batch.header(), records: batch.body().to_vec() }
    }

    /// One record, with that body behind its length.
    fn of_record(body: &[u8]) -> Spoilt {
        let mut spoilt = Spoilt::new();
        spoilt.header.records_count = 1;
        spoilt.header.last_offset_delta = 0;
        spoilt.records.clear();
        varint::write_i32(&mut spoilt.records, body.len() as i32);
        spoilt.records.extend_from_slice(body);
        spoilt
    }

    fn with(mut self, spoil: impl FnOnce(&mut BatchHeader)) -> Spoilt {
        spoil(&mut self.header);
        self
    }

    /// The batch with a valid length and checksum.
    fn seal(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let codec = self.header.attributes.compression().unwrap_or_default();
        Compressor::from(codec).compress(&self.records, &mut body);
        self.seal_body(&body)
    }

    fn seal_body(&self, body: &[u8]) -> Vec<u8> {
        let length = (BATCH_OVERHEAD - LOG_OVERHEAD + body.len()) as i32;
        let mut bytes = BatchHeader { length, ..self.header }.to_bytes().to_vec();
        bytes.extend_from_slice(body);
        reseal(&mut bytes);
        bytes
    }

    /// Checks that the batch is rejected with that error, uncompressed and with every codec.
    #[track_caller]
    fn refused(&self, error_code: i16, expected: &InvalidBatch) {
        let mut scratch = Scratch::new();
        for codec in CODECS {
            let spoilt =
                self.clone().with(|header| header.attributes = header.attributes.with_compression(codec));
            let error = produce(&spoilt.seal(), &rules(), &mut scratch).unwrap_err();
            assert_eq!(&error, expected, "{codec:?}");
            assert_eq!(error.error_code(), error_code);
            assert!(!error.to_string().is_empty());
        }
    }

    #[track_caller]
    fn accepted(&self, rules: &ProduceRules) -> ValidBatch {
        let mut scratch = Scratch::new();
        let mut results = CODECS.map(|codec| {
            let spoilt =
                self.clone().with(|header| header.attributes = header.attributes.with_compression(codec));
            let bytes = spoilt.seal();
            let valid = produce(&bytes, rules, &mut scratch).unwrap();
            // The stored bytes are always a batch again.
            let stored = [&valid.stamp(77, 3)[..], &bytes[BATCH_OVERHEAD..]].concat();
            let stored = Batch::parse(&stored).unwrap();
            stored.verify_crc().unwrap();
            assert_eq!(stored.header().base_offset, 77);
            assert_eq!(stored.header().partition_leader_epoch, 3);
            valid
        });
        let first = results[0];
        for result in &mut results {
            assert_eq!(result.header.max_timestamp, first.header.max_timestamp);
        }
        first
    }
}

/// Writes the checksum of the bytes.
fn reseal(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[CRC_COVERS_FROM..]);
    bytes[CRC_COVERS_FROM - 4..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
}

#[track_caller]
fn check(bytes: &[u8], rules: &ProduceRules, error_code: i16, expected: &InvalidBatch) {
    let error = produce(bytes, rules, &mut Scratch::new()).unwrap_err();
    assert_eq!(&error, expected);
    assert_eq!(error.error_code(), error_code);
    assert!(!error.to_string().is_empty());
}

fn malformed(index: u32, fault: RecordFault) -> InvalidBatch {
    InvalidBatch::Records(RecordsError::Record { index, fault })
}

/// A batch with those timestamps, keyless.
fn with_timestamps(timestamps: &[i64]) -> Spoilt {
    let mut builder = BatchBuilder::new(Compression::None);
    for &timestamp in timestamps {
        builder.push(timestamp, None, Some(b"v"), &[]);
    }
    Spoilt::of(builder)
}

#[test]
fn a_good_batch_is_accepted_and_left_alone() {
    let good = Spoilt::new();
    let valid = good.accepted(&rules());
    let came = good.seal();
    assert_eq!(valid.header.to_bytes(), came[..BATCH_OVERHEAD]);
    assert_eq!(valid.size_bytes(), came.len());
    assert_eq!(valid.header.max_timestamp, NOW_MS - 3);
}

#[test]
fn no_whole_batch() {
    let good = Spoilt::new().seal();
    for cut in 0..good.len() {
        check(&good[..cut], &rules(), INVALID_RECORD, &InvalidBatch::NoBatch);
    }
}

#[test]
fn two_batches() {
    let mut two = Spoilt::new().seal();
    two.extend(Spoilt::new().seal());
    check(&two, &rules(), INVALID_RECORD, &InvalidBatch::MoreThanOneBatch);
    let first_bytes = two.len() / 2;
    two[first_bytes + 16] = 1;
    check(&two, &rules(), INVALID_RECORD, &InvalidBatch::MoreThanOneBatch);
}

#[test]
fn bytes_after_the_batch_that_are_no_batch_are_passed_over() {
    let good = Spoilt::new().seal();
    for magic in 0..=2 {
        let mut second = good.clone();
        second[16] = magic;
        for cut in 0..second.len() {
            let followed = [&good[..], &second[..cut]].concat();
            let valid = produce(&followed, &rules(), &mut Scratch::new()).unwrap();
            assert_eq!(valid.size_bytes(), good.len());
        }
    }
    let followed = [&good[..], &[0; 100]].concat();
    check(&followed, &rules(), CORRUPT_MESSAGE, &InvalidBatch::Corrupt(BatchError::Length(0)));
    let mut followed = [&good[..], &good[..]].concat();
    followed[good.len() + 16] = 3;
    check(&followed, &rules(), CORRUPT_MESSAGE, &InvalidBatch::Corrupt(BatchError::Magic(3)));
}

#[test]
fn lengths_that_cannot_be() {
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        let mut bytes = Spoilt::new().seal();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        check(&bytes, &rules(), CORRUPT_MESSAGE, &InvalidBatch::Corrupt(BatchError::Length(length)));
    }
    for length in [i32::MAX, 1000] {
        let mut bytes = Spoilt::new().seal();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        check(&bytes, &rules(), INVALID_RECORD, &InvalidBatch::NoBatch);
    }
}

#[test]
fn a_length_that_leaves_off_bytes_fails_the_checksum() {
    let good = Spoilt::new().seal();
    for length in 49..good.len() - LOG_OVERHEAD {
        let mut bytes = good.clone();
        bytes[8..12].copy_from_slice(&(length as i32).to_be_bytes());
        let error = produce(&bytes, &rules(), &mut Scratch::new()).unwrap_err();
        // The remaining bytes may themselves look like a bad batch.
        assert!(matches!(error, InvalidBatch::Corrupt(_)), "{error:?}");
    }
}

#[test]
fn other_magics() {
    for magic in [0, 1] {
        let mut bytes = Spoilt::new().seal();
        bytes[16] = magic;
        check(&bytes, &rules(), INVALID_RECORD, &InvalidBatch::OldMagic(magic as i8));
        let cut = bytes.len() - 1;
        check(&bytes[..cut], &rules(), INVALID_RECORD, &InvalidBatch::NoBatch);
    }
    for magic in [3, 0x7f, 0x80, 0xff] {
        let mut bytes = Spoilt::new().seal();
        bytes[16] = magic;
        let error = InvalidBatch::Corrupt(BatchError::Magic(magic as i8));
        check(&bytes, &rules(), CORRUPT_MESSAGE, &error);
    }
    // A message of magic 0, as small as one can be.
    let mut old = vec![0; 26];
    old[11] = 14;
    check(&old, &rules(), INVALID_RECORD, &InvalidBatch::OldMagic(0));
}

#[test]
fn a_wrong_checksum() {
    let mut bytes = Spoilt::new().seal();
    let stored = u32::from_be_bytes([bytes[17], bytes[18], bytes[19], bytes[20]]);
    bytes[20] ^= 1;
    let error = BatchError::Crc { stored: stored ^ 1, computed: stored };
    check(&bytes, &rules(), CORRUPT_MESSAGE, &InvalidBatch::Corrupt(error));
}

#[test]
fn zstd_before_produce_version_7() {
    let zstd = Spoilt::new()
        .with(|header| header.attributes = header.attributes.with_compression(Compression::Zstd));
    let before = ProduceRules { request_version: 6, ..rules() };
    check(&zstd.seal(), &before, UNSUPPORTED_COMPRESSION_TYPE, &InvalidBatch::ZstdBeforeVersion7);
    let since = ProduceRules { request_version: 7, ..rules() };
    produce(&zstd.seal(), &since, &mut Scratch::new()).unwrap();
    produce(&Spoilt::new().seal(), &ProduceRules { request_version: 3, ..rules() }, &mut Scratch::new())
        .unwrap();
}

#[test]
fn codecs_that_are_none() {
    for codec in 5..8 {
        let bytes = Spoilt::new().with(|header| header.attributes = Attributes(codec)).seal();
        let error = InvalidBatch::UnknownCodec(UnknownCodec(codec as u8));
        check(&bytes, &rules(), UNSUPPORTED_COMPRESSION_TYPE, &error);
        // The checksum is looked at first.
        let mut damaged = bytes;
        damaged[60] ^= 1;
        assert_eq!(
            produce(&damaged, &rules(), &mut Scratch::new()).unwrap_err().error_code(),
            CORRUPT_MESSAGE
        );
    }
}

#[test]
fn a_base_offset_other_than_0() {
    for offset in [1, -1, i64::MAX, i64::MIN] {
        let spoilt = Spoilt::new().with(|header| header.base_offset = offset);
        spoilt.refused(INVALID_RECORD, &InvalidBatch::BaseOffset(offset));
    }
}

#[test]
fn a_batch_above_the_topics_limit() {
    let bytes = Spoilt::new().seal();
    let exact = ProduceRules { max_message_bytes: bytes.len(), ..rules() };
    produce(&bytes, &exact, &mut Scratch::new()).unwrap();
    let below = ProduceRules { max_message_bytes: bytes.len() - 1, ..rules() };
    let error = InvalidBatch::TooLarge { size_bytes: bytes.len(), max_bytes: bytes.len() - 1 };
    check(&bytes, &below, MESSAGE_TOO_LARGE, &error);
}

#[test]
fn records_above_the_limit_once_decompressed() {
    for codec in CODECS.into_iter().filter(|&codec| codec != Compression::None) {
        let spoilt =
            Spoilt::new().with(|header| header.attributes = header.attributes.with_compression(codec));
        let bytes = spoilt.seal();
        let exact = ProduceRules { max_decompressed_bytes: spoilt.records.len(), ..rules() };
        produce(&bytes, &exact, &mut Scratch::new()).unwrap();
        let max_bytes = spoilt.records.len() - 1;
        let below = ProduceRules { max_decompressed_bytes: max_bytes, ..rules() };
        let error = InvalidBatch::Decompress(DecompressError::TooLarge { max_bytes });
        check(&bytes, &below, MESSAGE_TOO_LARGE, &error);
    }
}

#[test]
fn counts_that_do_not_fit() {
    for (records_count, last_offset_delta) in [
        (0, -1),
        (0, 2),
        (-1, -2),
        (-1, 2),
        (i32::MIN, i32::MAX),
        (3, 1),
        (3, 3),
        (3, -1),
        (3, i32::MAX),
        (2, 2),
    ] {
        let spoilt = Spoilt::new().with(|header| {
            header.records_count = records_count;
            header.last_offset_delta = last_offset_delta;
        });
        spoilt.refused(INVALID_RECORD, &InvalidBatch::Count { records_count, last_offset_delta });
    }
}

#[test]
fn more_records_promised_than_there_are() {
    for count in [4, 1000, i32::MAX] {
        let spoilt = Spoilt::new().with(|header| {
            header.records_count = count;
            header.last_offset_delta = count - 1;
        });
        spoilt.refused(INVALID_RECORD, &malformed(3, RecordFault::Truncated));
    }
}

#[test]
fn fewer_records_promised_than_there_are() {
    for count in [1, 2] {
        let spoilt = Spoilt::new().with(|header| {
            header.records_count = count;
            header.last_offset_delta = count - 1;
        });
        spoilt.refused(INVALID_RECORD, &InvalidBatch::Records(RecordsError::TrailingBytes));
    }
    let mut spoilt = Spoilt::new();
    spoilt.records.push(0);
    spoilt.refused(INVALID_RECORD, &InvalidBatch::Records(RecordsError::TrailingBytes));
}

#[test]
fn a_control_batch() {
    let spoilt = Spoilt::new().with(|header| header.attributes = header.attributes.with_control(true));
    spoilt.refused(INVALID_RECORD, &InvalidBatch::Control);
    let marker = crate::control::EndTransactionMarker { committed: true, coordinator_epoch: 0 };
    let bytes = marker.batch(1, 0, NOW_MS).build();
    check(&bytes, &rules(), INVALID_RECORD, &InvalidBatch::Control);
}

#[test]
fn a_delete_horizon() {
    let spoilt = Spoilt::new().with(|header| header.attributes = header.attributes.with_delete_horizon(true));
    spoilt.refused(INVALID_RECORD, &InvalidBatch::DeleteHorizon);
}

#[test]
fn producers_that_cannot_be() {
    let with = |(producer_id, producer_epoch, base_sequence): (i64, i16, i32)| {
        Spoilt::new().with(|header| {
            header.producer_id = producer_id;
            header.producer_epoch = producer_epoch;
            header.base_sequence = base_sequence;
        })
    };
    for producer in
        [(0, 0, -1), (7, 0, i32::MIN), (7, -1, 0), (i64::MAX, i16::MIN, 0), (-2, 0, 0), (i64::MIN, -1, -1)]
    {
        let (producer_id, producer_epoch, base_sequence) = producer;
        let error = InvalidBatch::Producer { producer_id, producer_epoch, base_sequence };
        with(producer).refused(INVALID_RECORD, &error);
    }
    // Without a producer id, clients leave all sorts of things in the other two.
    for producer in [(0, 0, 0), (i64::MAX, i16::MAX, i32::MAX), (-1, -1, -1), (-1, 0, 0), (-1, -1, 7)] {
        with(producer).accepted(&rules());
    }
}

#[test]
fn a_transaction_without_a_producer() {
    let spoilt = Spoilt::new().with(|header| header.attributes = header.attributes.with_transactional(true));
    spoilt.refused(INVALID_RECORD, &InvalidBatch::TransactionalWithoutProducer);
    let with_producer = spoilt.with(|header| {
        (header.producer_id, header.producer_epoch, header.base_sequence) = (1, 0, 0);
    });
    assert!(with_producer.accepted(&rules()).header.attributes.is_transactional());
}

#[test]
fn attributes_without_a_meaning_are_kept() {
    let spoilt = Spoilt::new().with(|header| header.attributes = Attributes(0x7f80));
    assert_eq!(spoilt.accepted(&rules()).header.attributes.0 & !7, 0x7f80);
}
