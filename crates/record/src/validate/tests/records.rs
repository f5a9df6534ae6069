//! Records that cannot be read.

use super::*;

#[test]
fn offset_deltas_out_of_order() {
    for deltas in [[0, 2], [1, 2], [1, 0], [0, 0], [0, -1], [0, i32::MIN]] {
        let mut spoilt = Spoilt::new().with(|header| {
            header.records_count = 2;
            header.last_offset_delta = 1;
        });
        spoilt.records.clear();
        for delta in deltas {
            let mut body = vec![0, 0];
            varint::write_i32(&mut body, delta);
            body.extend([1, 1, 0]);
            varint::write_i32(&mut spoilt.records, body.len() as i32);
            spoilt.records.extend(body);
        }
        let index = deltas.iter().zip(0..).position(|(&delta, at)| delta != at).unwrap();
        let error = InvalidBatch::OffsetDelta { index: index as u32, offset_delta: deltas[index] };
        spoilt.refused(INVALID_RECORD, &error);
    }
}

/// Attributes, timestamp delta 0, offset delta 0.
const OPENING: [u8; 3] = [0, 0, 0];
/// A varint that does not end within five bytes, nor within ten.
const ENDLESS: [u8; 11] = [0xff; 11];

#[test]
fn records_that_are_malformed() {
    let refused = |body: &[&[u8]], fault| {
        Spoilt::of_record(&body.concat()).refused(INVALID_RECORD, &malformed(0, fault));
    };
    // Empty, and truncated after each field.
    refused(&[], RecordFault::Number);
    for cut in 1..6 {
        let whole = [&OPENING[..], &[1, 1, 0]].concat();
        refused(&[&whole[..cut]], RecordFault::Number);
    }
    // Numbers that do not end, or whose bits do not fit.
    refused(&[&[0], &ENDLESS], RecordFault::Number);
    refused(&[&[0, 0], &ENDLESS], RecordFault::Number);
    refused(&[&OPENING, &ENDLESS], RecordFault::Number);
    refused(&[&OPENING, &[1], &ENDLESS], RecordFault::Number);
    refused(&[&OPENING, &[1, 1], &ENDLESS], RecordFault::Number);
    refused(&[&OPENING, &[0x80, 0x80, 0x80, 0x80, 0x10, 1, 0]], RecordFault::Number);
    // A key or a value longer than the record.
    refused(&[&OPENING, &[4, b'k', 1, 0]], RecordFault::Number);
    refused(&[&OPENING, &[10, b'k', 1, 0]], RecordFault::Length);
    refused(&[&OPENING, &[1, 6, b'v', 0]], RecordFault::Length);
    refused(&[&OPENING, &[0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0]], RecordFault::Length);
    refused(&[&OPENING, &[1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0]], RecordFault::Length);
    // Bytes behind the last field.
    refused(&[&OPENING, &[1, 1, 0, 0]], RecordFault::Length);
    refused(&[&OPENING, &[1, 1, 2, 2, b'h', 1, 0]], RecordFault::Length);
}

#[test]
fn headers_that_are_malformed() {
    let refused = |headers: &[u8], fault| {
        let body = [&OPENING[..], &[1, 1], headers].concat();
        Spoilt::of_record(&body).refused(INVALID_RECORD, &malformed(0, fault));
    };
    refused(&[1], RecordFault::HeaderCount);
    refused(&[2], RecordFault::HeaderCount);
    refused(&[0xff, 0xff, 0xff, 0xff, 0x0f], RecordFault::HeaderCount);
    refused(&[0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0], RecordFault::HeaderCount);
    refused(&[6, 0, 0], RecordFault::HeaderCount);
    refused(&[4, 0, 0], RecordFault::Number);
    refused(&[2, 1, 0], RecordFault::HeaderKey);
    refused(&[2, 8, b'h', 0], RecordFault::Length);
    refused(&[2, 2, b'h', 8, b'v'], RecordFault::Length);
    refused(&[2, 2, b'h'], RecordFault::Number);
    refused(&[&[2][..], &ENDLESS].concat(), RecordFault::Number);
}

#[test]
fn record_lengths_that_lie() {
    let refused = |records: &[u8], fault| {
        let mut spoilt = Spoilt::of_record(&[]);
        spoilt.records = records.to_vec();
        spoilt.refused(INVALID_RECORD, &malformed(0, fault));
    };
    refused(&[], RecordFault::Truncated);
    refused(&[0x80], RecordFault::Truncated);
    refused(&[0x80, 0x80, 0x80, 0x80], RecordFault::Truncated);
    refused(&ENDLESS, RecordFault::Number);
    refused(&[1, 0, 0, 0, 1, 1, 0], RecordFault::Length);
    refused(&[14, 0, 0, 0, 1, 1, 0], RecordFault::Truncated);
    refused(&[10, 0, 0, 0, 1, 1, 0], RecordFault::Number);
}

/// A length beyond the limit ends the check of a compressed batch, without waiting for the bytes.
#[test]
fn record_lengths_beyond_the_limits() {
    let mut spoilt = Spoilt::of_record(&[]);
    spoilt.records = vec![0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0];
    let of_record = ProduceRules { max_record_bytes: 2_147_483_639, ..rules() };
    let check = |codec: Compression, rules: &ProduceRules| {
        let spoilt =
            spoilt.clone().with(|header| header.attributes = header.attributes.with_compression(codec));
        produce(&spoilt.seal(), rules, &mut Scratch::new()).unwrap_err()
    };
    assert_eq!(check(Compression::None, &of_record), malformed(0, RecordFault::Truncated));
    for codec in CODECS.into_iter().filter(|codec| *codec != Compression::None) {
        let too_large = DecompressError::TooLarge { max_bytes: 1 << 20 };
        assert_eq!(check(codec, &rules()), InvalidBatch::Decompress(too_large));
        assert_eq!(check(codec, &rules()).error_code(), MESSAGE_TOO_LARGE);
        let too_large =
            DecompressError::RecordTooLarge { size_bytes: 2_147_483_647, max_bytes: 2_147_483_639 };
        assert_eq!(check(codec, &of_record), InvalidBatch::Decompress(too_large));
        assert_eq!(check(codec, &of_record).error_code(), INVALID_RECORD);
    }
}

/// `max.decompressed.message.bytes` counts the bytes after a record's length, in compressed batches only.
#[test]
fn records_of_compressed_batches_have_a_limit_of_their_own() {
    for value_bytes in [0, 100, 70_000, 300_000] {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push(NOW_MS, Some(b"short"), None, &[]);
        builder.push(NOW_MS, Some(b"long one"), Some(&vec![0; value_bytes]), &[]);
        builder.push(NOW_MS, Some(b"short"), None, &[]);
        let spoilt = Spoilt::of(builder);
        let (first, _) = varint::read_i32(&spoilt.records, 0).unwrap();
        let (size, _) = varint::read_i32(&spoilt.records, 1 + first as usize).unwrap();
        let size_bytes = size as usize;
        for codec in CODECS {
            let bytes = spoilt
                .clone()
                .with(|header| header.attributes = header.attributes.with_compression(codec))
                .seal();
            let with_limit = |max_record_bytes| {
                produce(&bytes, &ProduceRules { max_record_bytes, ..rules() }, &mut Scratch::new())
            };
            with_limit(size_bytes).unwrap();
            let below = with_limit(size_bytes - 1);
            if codec == Compression::None {
                below.unwrap();
                continue;
            }
            let max_bytes = size_bytes - 1;
            let error = InvalidBatch::Decompress(DecompressError::RecordTooLarge { size_bytes, max_bytes });
            assert_eq!(below.unwrap_err(), error, "{codec:?}");
        }
    }
}

/// A long record is checked like a short one.
#[test]
fn long_records_are_checked_as_they_pass() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(NOW_MS, Some(b"k"), Some(&vec![1; 200_000]), &[Header { key: b"h", value: None }]);
    builder.push(NOW_MS + 7, Some(&vec![2; 150_000]), None, &[]);
    builder.push(NOW_MS + 3, None, Some(&vec![3; 100_000]), &[]);
    let spoilt = Spoilt::of(builder);
    assert_eq!(spoilt.accepted(&rules()).header.max_timestamp, NOW_MS + 7);
    for codec in CODECS {
        let spoilt =
            spoilt.clone().with(|header| header.attributes = header.attributes.with_compression(codec));
        let compacted = ProduceRules { compacted: true, ..rules() };
        let error = produce(&spoilt.seal(), &compacted, &mut Scratch::new()).unwrap_err();
        let no_key = RecordError { batch_index: 2, rejection: Rejection::NoKey };
        assert_eq!(error, InvalidBatch::RejectedRecords(vec![no_key]), "{codec:?}");
    }
    // The last record has no headers, and its last byte says so.
    let mut cut = spoilt.clone();
    cut.records.pop();
    cut.refused(INVALID_RECORD, &malformed(2, RecordFault::Truncated));
    let mut lies = spoilt;
    *lies.records.last_mut().unwrap() = 2;
    lies.refused(INVALID_RECORD, &malformed(2, RecordFault::HeaderCount));
}

#[test]
fn a_malformed_record_counts_before_those_that_are_not_accepted() {
    let mut spoilt = with_timestamps(&[-5, 0]);
    let last = spoilt.records.len() - 1;
    spoilt.records[last] = 1;
    spoilt.refused(INVALID_RECORD, &malformed(1, RecordFault::HeaderCount));
}
