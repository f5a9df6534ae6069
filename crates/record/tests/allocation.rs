//! The allocations of validation: none for an uncompressed batch, none for a compressed one once the states
//! exist, and for a hostile one no more than its bytes and the limits justify.

#![allow(unsafe_code)] // An allocator is unsafe to write; this one counts and passes on.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use record::validate::produce;
use record::{
    Batch, BatchBuilder, Compression, DecompressError, Header, InvalidBatch, ProduceRules, Scratch,
    TimestampType, batches,
};

/// Counts the allocations of each thread, so that tests do not disturb one another.
struct CountingAllocator;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static MOST_BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    if bytes > 0 {
        CALLS.set(CALLS.get() + 1);
    }
    BYTES.set(BYTES.get() + bytes);
    MOST_BYTES.set(MOST_BYTES.get().max(BYTES.get()));
}

// SAFETY: every call is the system allocator's, unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Allocations made by `call`.
fn allocations<T>(call: impl FnOnce() -> T) -> (u64, T) {
    let before = CALLS.get();
    let result = call();
    (CALLS.get() - before, result)
}

/// The most bytes that `call` holds, beyond those held before.
fn most_bytes<T>(call: impl FnOnce() -> T) -> (i64, T) {
    let before = BYTES.get();
    MOST_BYTES.set(before);
    let result = call();
    (MOST_BYTES.get() - before, result)
}

fn rules() -> ProduceRules {
    ProduceRules {
        request_version: 9,
        now_ms: 1_700_000_000_000,
        max_message_bytes: 16 << 20,
        max_decompressed_bytes: 1 << 20,
        max_record_bytes: usize::MAX,
        compacted: true,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
    }
}

fn batch(codec: Compression, records: usize, value_bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(4);
    let mut builder = BatchBuilder::new(codec);
    for i in 0..records {
        let value: Vec<u8> = (0..value_bytes).map(|_| random.u8(b'a'..b'j')).collect();
        let headers = [Header { key: b"header", value: Some(b"value") }];
        builder.push(i as i64, Some(b"key"), Some(&value), if i % 3 == 0 { &headers } else { &[] });
    }
    builder.build()
}

#[test]
fn uncompressed_batches_cost_no_allocation() {
    let shapes = [(1, 0), (1, 100), (140, 100), (10_000, 10), (3, 100_000)];
    for (records, value_bytes) in shapes {
        let bytes = batch(Compression::None, records, value_bytes);
        for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
            let rules = ProduceRules { timestamp_type, ..rules() };
            let (allocated, valid) = allocations(|| produce(&bytes, &rules, &mut Scratch::new()));
            valid.unwrap();
            assert_eq!(allocated, 0, "{records} records of {value_bytes} bytes");
        }
        let (allocated, read) = allocations(|| {
            let batch = batches(&bytes).next().unwrap().unwrap();
            batch.records().map(|record| record.unwrap().headers.count()).sum::<usize>()
        });
        assert_eq!((allocated, read), (0, records.div_ceil(3)));
    }
}

#[test]
fn refusing_a_batch_costs_no_allocation() {
    let good = batch(Compression::None, 100, 10);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        let (allocated, _) = allocations(|| produce(&bad, &rules(), &mut Scratch::new()).is_ok());
        assert_eq!(allocated, 0, "byte {at}");
    }
}

#[test]
fn compressed_batches_cost_no_allocation_once_warm() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut scratch = Scratch::new();
        let mixed = [(1, 10), (2000, 100), (7, 100_000), (10_000, 10)].map(|(n, size)| batch(codec, n, size));
        for round in 0..3 {
            for bytes in &mixed {
                let (allocated, valid) = allocations(|| produce(bytes, &rules(), &mut scratch));
                valid.unwrap();
                assert!(round == 0 || allocated == 0, "{codec:?}: {allocated} allocations");
                let (allocated, read) = allocations(|| {
                    let batch = Batch::parse(bytes).unwrap();
                    batch.records_decompressed(&mut scratch, 1 << 20).unwrap().count()
                });
                assert!(round == 0 || allocated == 0, "{codec:?}: {allocated} allocations");
                assert!(read > 0);
            }
        }
    }
}

#[test]
fn streaming_takes_a_window_and_not_the_whole() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let bytes = batch(codec, 8000, 100);
        let (held, valid) = most_bytes(|| produce(&bytes, &rules(), &mut Scratch::new()));
        valid.unwrap();
        assert!(held < 400_000, "{codec:?}: {held} bytes for a megabyte of records");
    }
}

#[test]
fn a_bomb_takes_no_more_than_the_limit_allows() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut builder = BatchBuilder::new(codec);
        builder.push(0, Some(b"key"), Some(&vec![0; 40 << 20]), &[]);
        let bytes = builder.build();
        let (held, refused) = most_bytes(|| produce(&bytes, &rules(), &mut Scratch::new()));
        assert!(matches!(refused, Err(InvalidBatch::Decompress(_))));
        assert!(held < 4 << 20, "{codec:?}: {held} bytes");
    }
}

#[test]
fn a_long_record_is_not_kept_while_it_is_checked() {
    let rules = ProduceRules { max_decompressed_bytes: 100 << 20, ..rules() };
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut builder = BatchBuilder::new(codec);
        builder.push(0, Some(b"key"), Some(&vec![0; 40 << 20]), &[]);
        let bytes = builder.build();
        let (held, valid) = most_bytes(|| produce(&bytes, &rules, &mut Scratch::new()));
        valid.unwrap();
        assert!(held < 400_000, "{codec:?}: {held} bytes for a record of 40 MiB");
        let rules = ProduceRules { max_record_bytes: 1 << 20, ..rules };
        let (held, refused) = most_bytes(|| produce(&bytes, &rules, &mut Scratch::new()));
        let expected = DecompressError::RecordTooLarge { size_bytes: (40 << 20) + 12, max_bytes: 1 << 20 };
        assert_eq!(refused.unwrap_err(), InvalidBatch::Decompress(expected));
        assert!(held < 400_000, "{codec:?}: {held} bytes");
    }
}

#[test]
fn the_list_of_records_at_fault_is_limited() {
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..100_000 {
        builder.push(0, None, None, &[]);
    }
    let bytes = builder.build();
    let (held, refused) = most_bytes(|| produce(&bytes, &rules(), &mut Scratch::new()));
    let refused = refused.unwrap_err();
    assert_eq!(refused.record_errors().len(), record::validate::RECORD_ERRORS_MAX);
    assert!(held < 100_000, "{held} bytes");
}
