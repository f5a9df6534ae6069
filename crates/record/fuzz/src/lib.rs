//! The fuzz targets' work on their input: everything that strangers may give to this crate. The crate's
//! ordinary tests run the same functions over a bounded number of inputs (`tests/fuzz.rs`).
//!
//! `cargo +nightly fuzz run sealed` in `crates/record`, or one of the others.

use std::cell::RefCell;

use record::validate::produce;
use record::{
    Attributes, BATCH_OVERHEAD, Batch, BatchHeader, ProduceRules, Scratch, TimestampType, batches, control,
};

thread_local! {
    /// One for all inputs, as in a broker's thread: the state that one batch leaves behind must not affect
    /// the next.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// More than a fuzzer's input comes to, and few enough bytes that a bomb is quick.
const MAX_DECOMPRESSED_BYTES: usize = 1 << 18;

/// Unchanged bytes: a log after damage, or a fetch response of a broken broker.
pub fn bytes(input: &[u8]) {
    let mut found = batches(input);
    let mut whole_bytes = 0;
    for batch in found.by_ref() {
        let Ok(batch) = batch else { break };
        whole_bytes += batch.bytes().len();
        assert_eq!(batch.header().to_bytes(), batch.bytes()[..BATCH_OVERHEAD]);
        let _ = (batch.verify_crc(), batch.header().next_offset(), batch.header().last_sequence());
        for record in batch.records() {
            let Ok(record) = record else { break };
            let _ = control::EndTransactionMarker::read(&record);
            record.headers.for_each(drop);
        }
    }
    assert_eq!(found.position(), whole_bytes);
    accept_or_refuse(input, &rules(input));
}

/// A batch with a valid length and checksum, so that the code behind those checks is reached.
pub fn sealed(input: &[u8]) {
    let Some(mut batch) = input.get(1..).filter(|batch| batch.len() >= BATCH_OVERHEAD).map(<[u8]>::to_vec)
    else {
        return;
    };
    let length = (batch.len() - 12) as i32;
    batch[..8].fill(0);
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    reseal(&mut batch);
    accept_or_refuse(&batch, &rules(input));
}

/// The same with one valid header, so that the whole input is the body: the first byte has codec and record
/// count.
pub fn stream(input: &[u8]) {
    let Some((&shape, body)) = input.split_first() else { return };
    let count = i32::from(shape >> 3) + 1;
    let header = BatchHeader {
        base_offset: 0,
        length: (BATCH_OVERHEAD - 12 + body.len()) as i32,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: Attributes(i16::from(shape & 7)),
        last_offset_delta: count - 1,
        base_timestamp: 1_000_000,
        max_timestamp: 1_000_000,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records_count: count,
    };
    let mut batch = [&header.to_bytes()[..], body].concat();
    reseal(&mut batch);
    accept_or_refuse(&batch, &rules(&[8]));
}

fn reseal(batch: &mut [u8]) {
    let crc = crc_fast::crc32_iscsi(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Rules picked by the first byte.
fn rules(input: &[u8]) -> ProduceRules {
    let picked = input.first().copied().unwrap_or_default();
    ProduceRules {
        request_version: 3 + i16::from(picked & 8),
        now_ms: 1_000_000,
        max_message_bytes: 1 << 20,
        max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
        max_record_bytes: usize::MAX,
        compacted: picked & 1 != 0,
        timestamp_type: if picked & 2 != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        },
        timestamp_before_max_ms: if picked & 4 != 0 { 1000 } else { i64::MAX },
        timestamp_after_max_ms: i64::MAX,
    }
}

/// An accepted batch must be readable from the log: every record there, in order, and within the rules.
fn accept_or_refuse(input: &[u8], rules: &ProduceRules) {
    SCRATCH.with_borrow_mut(|scratch| accept_or_refuse_with(input, rules, scratch));
}

fn accept_or_refuse_with(input: &[u8], rules: &ProduceRules, scratch: &mut Scratch) {
    let valid = match produce(input, rules, scratch) {
        Ok(valid) => valid,
        Err(error) => {
            assert!([2, 10, 32, 76, 87].contains(&error.error_code()));
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut stored = input[..valid.size_bytes()].to_vec();
    stored[..BATCH_OVERHEAD].copy_from_slice(&valid.stamp(1 << 40, 9));
    let batch = Batch::parse(&stored).expect("what is stored parses");
    batch.verify_crc().expect("what is stored has its checksum");
    let header = batch.header();
    assert!(!header.attributes.is_control() && !header.attributes.has_delete_horizon());
    assert_eq!(header.attributes.timestamp_type(), rules.timestamp_type);

    let records = batch.records_decompressed(scratch, MAX_DECOMPRESSED_BYTES);
    let mut next_offset = 1 << 40;
    let mut max_timestamp = -1;
    for record in records.expect("what is stored can be decompressed") {
        let record = record.expect("what is stored can be read");
        assert_eq!(record.offset, next_offset);
        assert!(record.key.is_some() || !rules.compacted);
        assert!(record.timestamp >= -1);
        max_timestamp = max_timestamp.max(record.timestamp);
        record.headers.for_each(drop);
        next_offset += 1;
    }
    assert_eq!(next_offset, header.next_offset());
    assert_eq!(max_timestamp, header.max_timestamp);
}
