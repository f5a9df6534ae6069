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
    // Nothing at all, and cut off after each field.
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
    refused(&[0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0], RecordFault::Truncated);
    refused(&[10, 0, 0, 0, 1, 1, 0], RecordFault::Number);
}

#[test]
fn a_malformed_record_counts_before_those_that_are_not_accepted() {
    let mut spoilt = with_timestamps(&[-5, 0]);
    let last = spoilt.records.len() - 1;
    spoilt.records[last] = 1;
    spoilt.refused(INVALID_RECORD, &malformed(1, RecordFault::HeaderCount));
}
