//! Written batches of many shapes are read again.

use fastrand::Rng;
use record::{
    BatchBuilder, BatchError, Compression, Header, InvalidBatch, NO_TIMESTAMP, ProduceRules, Record,
    RecordFault, RecordsError, TimestampType, batches, validate,
};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A record as the test keeps it.
#[derive(Clone, Debug, PartialEq)]
struct SentRecord {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl SentRecord {
    fn random(random: &mut Rng, offset: i64) -> SentRecord {
        let headers = match random.u8(..100) {
            0 => random.usize(0..200),
            1..20 => random.usize(0..10),
            _ => 0,
        };
        let magnitude = random.u32(1..62);
        SentRecord {
            offset,
            timestamp: if random.u8(..9) == 0 { NO_TIMESTAMP } else { random.i64(0..1 << magnitude) },
            key: bytes(random),
            value: bytes(random),
            headers: (0..headers).map(|_| (bytes(random).unwrap_or_default(), bytes(random))).collect(),
        }
    }

    fn of(record: &Record<'_>) -> SentRecord {
        SentRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .clone()
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    fn push_to(&self, builder: &mut BatchBuilder) {
        let headers: Vec<Header<'_>> =
            self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        builder.push(self.timestamp, self.key.as_deref(), self.value.as_deref(), &headers);
    }
}

fn bytes(random: &mut Rng) -> Option<Vec<u8>> {
    let magnitude = random.u32(0..10);
    let len = random.usize(0..1 << magnitude);
    (random.u8(..5) != 0).then(|| (0..len).map(|_| random.u8(..)).collect())
}

fn rules() -> ProduceRules {
    ProduceRules {
        request_version: 9,
        now_ms: 1_700_000_000_000,
        max_message_bytes: 16 << 20,
        max_decompressed_bytes: 16 << 20,
        max_record_bytes: usize::MAX,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
    }
}

#[test]
fn records_come_back_as_they_were() {
    let mut random = Rng::with_seed(1);
    let mut scratch = record::Scratch::new();
    for round in 0..500 {
        let codec = CODECS[round % 5];
        let base_offset = random.i64(0..1 << 40);
        let count = random.i64(1..60);
        let kept: Vec<SentRecord> =
            (0..count).map(|i| SentRecord::random(&mut random, base_offset + i)).collect();
        let mut builder =
            BatchBuilder::new(codec).base_offset(base_offset).partition_leader_epoch(5).producer(77, 3, 9);
        kept.iter().for_each(|record| record.push_to(&mut builder));
        let size = builder.size_bytes();
        let built = builder.build();
        assert!(codec != Compression::None || built.len() == size);

        let batch = record::Batch::parse(&built).unwrap();
        batch.verify_crc().unwrap();
        let header = batch.header();
        assert_eq!(header.last_offset(), base_offset + count - 1);
        assert_eq!(header.last_sequence(), 9 + count as i32 - 1);
        assert_eq!(header.max_timestamp, kept.iter().map(|record| record.timestamp).max().unwrap());
        assert_eq!(header.to_bytes(), built[..61]);
        let records = batch.records_decompressed(&mut scratch, size).unwrap();
        let read: Vec<SentRecord> = records.map(|record| SentRecord::of(&record.unwrap())).collect();
        assert_eq!(read, kept);
    }
}

#[test]
fn consecutive_batches_are_told_apart() {
    let mut stored = Vec::new();
    let mut ends = Vec::new();
    for i in 0..10 {
        let mut builder = BatchBuilder::new(Compression::None).base_offset(i * 10);
        builder.push(i, Some(b"key"), Some(&vec![7; i as usize]), &[]);
        stored.extend(builder.build());
        ends.push(stored.len());
    }
    let offsets: Vec<i64> = batches(&stored).map(|batch| batch.unwrap().header().base_offset).collect();
    assert_eq!(offsets, (0..10).map(|i| i * 10).collect::<Vec<_>>());

    for cut in 0..stored.len() {
        let mut found = batches(&stored[..cut]);
        let whole = found.by_ref().take_while(Result::is_ok).count();
        assert_eq!(whole, ends.iter().filter(|&&end| end <= cut).count());
        let at_boundary = cut == 0 || ends.contains(&cut);
        assert_eq!(found.position(), ends.iter().copied().filter(|&end| end <= cut).max().unwrap_or(0));
        let mut last = batches(&stored[found.position()..cut]);
        assert_eq!(matches!(last.next(), Some(Err(BatchError::Truncated { .. }))), !at_boundary);
        assert!(last.next().is_none());
    }
}

#[test]
fn what_is_built_is_valid_and_stored_as_it_came() {
    let mut random = Rng::with_seed(2);
    let mut scratch = record::Scratch::new();
    for round in 0..250 {
        let mut builder = BatchBuilder::new(CODECS[round % 5]);
        let count = random.i64(1..60);
        let kept: Vec<SentRecord> = (0..count).map(|i| SentRecord::random(&mut random, i)).collect();
        kept.iter().for_each(|record| record.push_to(&mut builder));
        let built = builder.build();
        let valid = validate::produce(&built, &rules(), &mut scratch).unwrap();
        assert_eq!(valid.header.to_bytes(), built[..61]);
        assert_eq!(valid.size_bytes(), built.len());

        let mut stored = built.clone();
        stored[..61].copy_from_slice(&valid.stamp(1 << 33, 12));
        let stored = record::Batch::parse(&stored).unwrap();
        stored.verify_crc().unwrap();
        assert_eq!(stored.header().base_offset, 1 << 33);
        assert_eq!(stored.header().partition_leader_epoch, 12);

        let append_time = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
        let valid = validate::produce(&built, &append_time, &mut scratch).unwrap();
        let mut stored = built.clone();
        stored[..61].copy_from_slice(&valid.stamp(0, 0));
        let stored = record::Batch::parse(&stored).unwrap();
        stored.verify_crc().unwrap();
        let mut records = stored.records_decompressed(&mut scratch, 1 << 24).unwrap();
        assert!(records.all(|record| record.unwrap().timestamp == append_time.now_ms));

        let last = built.len() - 1;
        let mut damaged = built;
        damaged[last] ^= 1;
        let refused = validate::produce(&damaged, &rules(), &mut scratch).unwrap_err();
        assert!(matches!(refused, InvalidBatch::Corrupt(BatchError::Crc { .. })));
    }
}

#[test]
fn a_batch_that_does_not_hold_what_its_header_says_ends_with_an_error() {
    let mut builder = BatchBuilder::new(Compression::None);
    (0..3).for_each(|i| builder.push(i, None, Some(b"value"), &[]));
    let built = builder.build();
    let read = |count: i32, body: &[u8]| {
        let mut bytes = [&built[..61], body].concat();
        let length = bytes.len() as i32 - 12;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
        let records: Vec<_> =
            record::Batch::parse(&bytes).unwrap().records().map(|record| record.err()).collect();
        records
    };
    let body = &built[61..];
    assert_eq!(read(3, body), [None, None, None]);
    assert_eq!(read(0, b""), []);
    assert_eq!(read(2, body), [None, None, Some(RecordsError::TrailingBytes)]);
    assert_eq!(read(0, body), [Some(RecordsError::TrailingBytes)]);
    assert_eq!(read(-1, body), [Some(RecordsError::Count(-1))]);
    let truncated = |index| Some(RecordsError::Record { index, fault: RecordFault::Truncated });
    assert_eq!(read(4, body), [None, None, None, truncated(3)]);
    assert_eq!(read(3, &body[..body.len() - 1]), [None, None, truncated(2)]);
}
