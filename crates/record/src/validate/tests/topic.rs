//! The topic's settings, applied to records that can be read.

use super::*;

#[test]
fn a_compacted_topic_wants_keys() {
    let mut builder = BatchBuilder::new(Compression::None);
    for key in [Some(&b"k"[..]), None, Some(b""), None] {
        builder.push(NOW_MS, key, Some(b"v"), &[]);
    }
    let spoilt = Spoilt::of(builder);
    spoilt.accepted(&rules());
    let compacted = ProduceRules { compacted: true, ..rules() };
    let errors = [1, 3].map(|batch_index| RecordError { batch_index, rejection: Rejection::NoKey });
    let error = InvalidBatch::RejectedRecords(errors.to_vec());
    check(&spoilt.seal(), &compacted, INVALID_RECORD, &error);
    assert_eq!(error.record_errors(), errors);
    Spoilt::new().accepted(&compacted);
}

#[test]
fn timestamps_outside_the_topics_bounds() {
    let bounds = ProduceRules { timestamp_before_max_ms: 1000, timestamp_after_max_ms: 10, ..rules() };
    let (earliest_ms, latest_ms) = (NOW_MS - 1000, NOW_MS + 10);
    with_timestamps(&[earliest_ms, NO_TIMESTAMP, latest_ms]).accepted(&bounds);

    let spoilt = with_timestamps(&[earliest_ms - 1, NOW_MS, latest_ms + 1, i64::MAX, 0]);
    let error = |batch_index, timestamp_ms| RecordError {
        batch_index,
        rejection: Rejection::Timestamp { timestamp_ms, earliest_ms, latest_ms },
    };
    let errors = vec![error(0, earliest_ms - 1), error(2, latest_ms + 1), error(3, i64::MAX), error(4, 0)];
    check(&spoilt.seal(), &bounds, INVALID_TIMESTAMP, &InvalidBatch::RejectedTimestamps(errors));

    // A missing key counts before the timestamp, and any timestamp decides the error.
    let keys_too = ProduceRules { compacted: true, ..bounds };
    let no_keys =
        (0..5).map(|batch_index| RecordError { batch_index, rejection: Rejection::NoKey }).collect();
    check(&spoilt.seal(), &keys_too, INVALID_RECORD, &InvalidBatch::RejectedRecords(no_keys));
    let mut mixed = BatchBuilder::new(Compression::None);
    mixed.push(NOW_MS, None, None, &[]);
    mixed.push(0, Some(b"k"), None, &[]);
    mixed.push(NOW_MS, None, None, &[]);
    let no_key = |batch_index| RecordError { batch_index, rejection: Rejection::NoKey };
    let errors = vec![no_key(0), error(1, 0), no_key(2)];
    check(&mixed.build(), &keys_too, INVALID_TIMESTAMP, &InvalidBatch::RejectedTimestamps(errors));
}

/// Timestamps before 1970. Kafka's default, all of the past, ends when `now` less a timestamp is beyond an
/// `i64`.
#[test]
fn timestamps_below_0() {
    let rules = ProduceRules { timestamp_before_max_ms: i64::MAX, ..rules() };
    let earliest_ms = NOW_MS - i64::MAX;
    for timestamps in [&[-2, NO_TIMESTAMP, 0, NOW_MS][..], &[NOW_MS, -62_135_596_800_000], &[earliest_ms]] {
        let valid = with_timestamps(timestamps).accepted(&rules);
        assert_eq!(valid.header.max_timestamp, timestamps.iter().copied().fold(NO_TIMESTAMP, i64::max));
    }
    let spoilt = with_timestamps(&[-2, earliest_ms - 1, i64::MIN]);
    let error = produce(&spoilt.seal(), &rules, &mut Scratch::new()).unwrap_err();
    assert_eq!(error.error_code(), INVALID_TIMESTAMP);
    assert_eq!(error.record_errors().iter().map(|error| error.batch_index).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn timestamps_beyond_an_i64() {
    let unbounded =
        ProduceRules { timestamp_before_max_ms: i64::MAX, timestamp_after_max_ms: i64::MAX, ..rules() };
    with_timestamps(&[i64::MAX, 0]).accepted(&unbounded);
    for (base, delta) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MIN, i64::MIN), (0, i64::MIN)] {
        let mut spoilt = with_timestamps(&[0]).with(|header| header.base_timestamp = base);
        let mut body = vec![0];
        varint::write_i64(&mut body, delta);
        body.extend([0, 1, 1, 0]);
        spoilt.records = Spoilt::of_record(&body).records;
        let error = produce(&spoilt.seal(), &unbounded, &mut Scratch::new()).unwrap_err();
        assert_eq!(error.error_code(), INVALID_TIMESTAMP, "{base} {delta}");
        // A topic with `LogAppendTime` does not care.
        spoilt.accepted(&ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() });
    }
}

#[test]
fn the_max_timestamp_is_that_of_the_records() {
    for (timestamps, max) in [
        (&[5, 9, 9, 3][..], 9),
        (&[NO_TIMESTAMP, NO_TIMESTAMP], NO_TIMESTAMP),
        (&[NO_TIMESTAMP, 0], 0),
        (&[-9, -5], NO_TIMESTAMP),
        (&[7], 7),
    ] {
        for claimed in [i64::MIN, NO_TIMESTAMP, 0, 8, i64::MAX] {
            let spoilt = with_timestamps(timestamps).with(|header| header.max_timestamp = claimed);
            let valid = spoilt.accepted(&rules());
            assert_eq!(valid.header.max_timestamp, max);
        }
    }
}

#[test]
fn with_log_append_time_the_broker_sets_the_timestamps() {
    let append_time = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    for timestamps in [&[5, 9, 3][..], &[NO_TIMESTAMP], &[i64::MIN, i64::MAX]] {
        let valid = with_timestamps(timestamps).accepted(&append_time);
        assert_eq!(valid.header.attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(valid.header.max_timestamp, NOW_MS);
        assert_eq!(valid.header.base_timestamp, timestamps[0]);
    }
}

#[test]
fn the_timestamp_type_is_not_for_the_producer_to_set() {
    let spoilt = Spoilt::new().with(|header| {
        header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
    });
    let errors = (0..3).map(|batch_index| RecordError { batch_index, rejection: Rejection::TimestampType });
    let error = InvalidBatch::RejectedTimestamps(errors.collect());
    for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
        check(&spoilt.seal(), &ProduceRules { timestamp_type, ..rules() }, INVALID_TIMESTAMP, &error);
    }
}

#[test]
fn the_list_of_records_at_fault_is_limited_and_the_error_is_not_changed_by_that() {
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..RECORD_ERRORS_MAX + 5 {
        builder.push(NOW_MS, None, None, &[]);
    }
    builder.push(NOW_MS + 4_000_000, Some(b"k"), None, &[]);
    let rules = ProduceRules { compacted: true, max_message_bytes: 1 << 20, ..rules() };
    let error = produce(&builder.build(), &rules, &mut Scratch::new()).unwrap_err();
    assert_eq!(error.record_errors().len(), RECORD_ERRORS_MAX);
    assert_eq!(error.record_errors()[RECORD_ERRORS_MAX - 1].batch_index, RECORD_ERRORS_MAX as i32 - 1);
    assert_eq!(error.error_code(), INVALID_TIMESTAMP);
}

#[test]
fn a_level_is_how_hard_a_codec_tries() {
    let mut builder = BatchBuilder::new(Compression::None);
    for n in 0..2_000_u64 {
        let key = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50).to_string();
        builder.push(NOW_MS, Some(key.as_bytes()), Some(b"a value of some length"), &[]);
    }
    let came = builder.build();
    let mut scratch = Scratch::new();
    let valid =
        produce(&came, &ProduceRules { max_message_bytes: 1 << 20, ..rules() }, &mut scratch).unwrap();
    for (codec, fast, small) in [(Compression::Gzip, 1, 9), (Compression::Zstd, -50, 19)] {
        let mut size = |level| {
            let compressor = Compressor { codec, level: Some(level) };
            valid.recompress(&came, compressor, &mut scratch, 1 << 20).unwrap().0.len()
        };
        assert!(size(small) < size(fast), "{codec:?}");
    }
}

#[test]
fn a_batch_is_recompressed_for_a_topic_with_a_codec_of_its_own() {
    let append_time = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let mut scratch = Scratch::new();
    for from in CODECS {
        let came =
            Spoilt::new().with(|header| header.attributes = header.attributes.with_compression(from)).seal();
        let valid = produce(&came, &append_time, &mut scratch).unwrap();
        let followed = [&came[..], b"more"].concat();
        for to in CODECS {
            let (bytes, stored) = valid.recompress(&followed, to.into(), &mut scratch, 1 << 20).unwrap();
            assert_eq!(stored.size_bytes(), bytes.len());
            assert_eq!(stored.header.to_bytes(), bytes[..BATCH_OVERHEAD]);
            let batch = Batch::parse(&bytes).unwrap();
            batch.verify_crc().unwrap();
            assert_eq!(batch.header().attributes.compression(), Ok(to));
            assert_eq!(batch.header().max_timestamp, NOW_MS);
            let records = batch.records_decompressed(&mut scratch, 1 << 20).unwrap();
            let keys: Vec<_> = records.map(|record| record.unwrap().key.unwrap().to_vec()).collect();
            assert_eq!(keys, [b"k0", b"k1", b"k2"]);
        }
    }
}
