//! Batches written by compaction: fewer records, with the properties of the whole batch.

use super::*;
use crate::batch::Batch;

fn original(builder: BatchBuilder) -> Vec<u8> {
    let mut builder = builder.base_offset(100).partition_leader_epoch(4).producer(77, 3, 9).transactional();
    for timestamp in [50, 90, 40, 60] {
        builder.push(timestamp, Some(b"key"), Some(&[7; 200]), &[Header { key: b"h", value: None }]);
    }
    builder.build()
}

/// Keeps the first and the third record.
fn compacted(bytes: &[u8], delete_horizon_ms: Option<i64>) -> (BatchHeader, Vec<(i64, i64)>) {
    let batch = Batch::parse(bytes).unwrap();
    let mut builder = BatchBuilder::replacing(batch.header(), delete_horizon_ms);
    let mut scratch = crate::Scratch::new();
    for record in batch.records_decompressed(&mut scratch, 10_000).unwrap().step_by(2) {
        builder.push_record(&record.unwrap());
    }
    let bytes = builder.build();
    let batch = Batch::parse(&bytes).unwrap();
    batch.verify_crc().unwrap();
    let records = batch.records_decompressed(&mut scratch, 10_000).unwrap().map(Result::unwrap);
    let records = records.map(|record| (record.offset, record.timestamp)).collect();
    (*batch.header(), records)
}

#[test]
fn what_is_left_keeps_offsets_producer_and_codec() {
    for codec in [Compression::None, Compression::Zstd] {
        let bytes = original(BatchBuilder::new(codec));
        let (header, records) = compacted(&bytes, None);
        assert_eq!(records, [(100, 50), (102, 40)]);
        let before = *Batch::parse(&bytes).unwrap().header();
        // The sequence number after it is derived from the last offset.
        assert_eq!((header.last_offset(), header.last_sequence()), (103, 12));
        let same = BatchHeader { length: header.length, crc: header.crc, ..before };
        assert_eq!(header, BatchHeader { records_count: 2, max_timestamp: 50, ..same });
    }
}

#[test]
fn a_delete_horizon_is_what_timestamps_count_from() {
    let bytes = original(BatchBuilder::new(Compression::None));
    let (header, records) = compacted(&bytes, Some(7000));
    assert_eq!((header.delete_horizon_ms(), header.base_timestamp), (Some(7000), 7000));
    assert_eq!((records, header.max_timestamp), (vec![(100, 50), (102, 40)], 50));
    // Without a horizon it is removed again.
    let mut again = BatchBuilder::replacing(&header, None);
    again.push(60, None, None, &[]);
    let again = *Batch::parse(&again.build()).unwrap().header();
    assert_eq!((again.delete_horizon_ms(), again.base_timestamp), (None, 60));
}

#[test]
fn append_time_stays_that_of_the_whole() {
    let bytes = original(BatchBuilder::new(Compression::None).log_append_time(85));
    let (header, records) = compacted(&bytes, None);
    assert_eq!((header.max_timestamp, records), (85, vec![(100, 85), (102, 85)]));
}

#[test]
fn an_emptied_batch_keeps_the_producers_place() {
    let bytes = original(BatchBuilder::new(Compression::Gzip).log_append_time(85));
    let horizon = BatchBuilder::replacing(Batch::parse(&bytes).unwrap().header(), Some(7000));
    let before = BatchHeader { records_count: 4, last_offset_delta: 3, ..horizon.header };
    let bytes = emptied(&before);
    assert_eq!(bytes.len(), BATCH_OVERHEAD);
    let batch = Batch::parse(&bytes).unwrap();
    batch.verify_crc().unwrap();
    let header = batch.header();
    assert_eq!((header.base_offset, header.last_offset(), header.records_count), (100, 103, 0));
    assert_eq!((header.producer_id, header.producer_epoch, header.last_sequence()), (77, 3, 12));
    assert_eq!((header.base_timestamp, header.max_timestamp), (NO_TIMESTAMP, 85));
    assert_eq!(header.attributes.compression(), Ok(Compression::None));
    assert_eq!(header.delete_horizon_ms(), None);
    assert!(header.attributes.is_transactional());
}
