//! Comparison with an independent implementation: it reads our batches, and its batches are read here, valid,
//! and the same to the byte before compression.

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as theirs;
use record::{
    Batch, BatchBuilder, Compression, Header, ProduceRules, Record, Scratch, TimestampType, batches, validate,
};

const CODECS: [(Compression, theirs::Compression); 5] = [
    (Compression::None, theirs::Compression::None),
    (Compression::Gzip, theirs::Compression::Gzip),
    (Compression::Snappy, theirs::Compression::Snappy),
    (Compression::Lz4, theirs::Compression::Lz4),
    (Compression::Zstd, theirs::Compression::Zstd),
];

/// The properties that the batches of one round share.
struct Producer {
    id: i64,
    epoch: i16,
    sequence: i32,
    leader_epoch: i32,
    transactional: bool,
}

/// Random records of one batch, from offset 0. The first has the least timestamp, which they take for the base.
fn records(random: &mut Rng, producer: &Producer) -> Vec<theirs::Record> {
    let count = random.usize(1..80);
    let magnitude = random.u32(0..14);
    let first_timestamp = random.i64(0..1 << 45);
    let step = 1 << random.u32(0..40);
    (0..count)
        .map(|i| theirs::Record {
            transactional: producer.transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: producer.leader_epoch,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            timestamp_type: theirs::TimestampType::Creation,
            offset: i as i64,
            sequence: producer.sequence + i as i32,
            timestamp: first_timestamp + if i == 0 { 0 } else { random.i64(0..step) },
            key: bytes(random, 4),
            value: bytes(random, magnitude),
            headers: headers(random),
        })
        .collect()
}

fn bytes(random: &mut Rng, magnitude: u32) -> Option<Bytes> {
    let len = random.usize(0..1 << magnitude);
    // Few different bytes, so that there is something to compress.
    (random.u8(..6) != 0).then(|| (0..len).map(|_| random.u8(b'a'..b'f')).collect())
}

fn headers(random: &mut Rng) -> IndexMap<StrBytes, Option<Bytes>> {
    let count = if random.u8(..3) == 0 { random.usize(0..6) } else { 0 };
    (0..count).map(|i| (StrBytes::from_string(format!("header {i} ü")), bytes(random, 5))).collect()
}

fn written_here(codec: Compression, producer: &Producer, records: &[theirs::Record]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec).partition_leader_epoch(producer.leader_epoch).producer(
        producer.id,
        producer.epoch,
        producer.sequence,
    );
    if producer.transactional {
        builder = builder.transactional();
    }
    for record in records {
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() })
            .collect();
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.build()
}

fn written_there(codec: theirs::Compression, records: &[theirs::Record]) -> BytesMut {
    let mut out = BytesMut::new();
    let options = theirs::RecordEncodeOptions { version: 2, compression: codec };
    theirs::RecordBatchEncoder::encode(&mut out, records, &options).unwrap();
    out
}

#[track_caller]
fn assert_same(ours: &Record<'_>, theirs: &theirs::Record) {
    assert_eq!(ours.offset, theirs.offset);
    assert_eq!(ours.timestamp, theirs.timestamp);
    assert_eq!(ours.key, theirs.key.as_deref());
    assert_eq!(ours.value, theirs.value.as_deref());
    let theirs = theirs.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref()));
    assert!(ours.headers.clone().map(|header| (header.key, header.value)).eq(theirs));
}

#[test]
fn each_reads_what_the_other_writes() {
    let mut random = Rng::with_seed(18);
    let mut scratch = Scratch::new();
    let rules = ProduceRules {
        request_version: 9,
        now_ms: 1 << 46,
        max_message_bytes: 16 << 20,
        max_decompressed_bytes: 16 << 20,
        max_record_bytes: usize::MAX,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
    };
    for round in 0..500 {
        let (codec, their_codec) = CODECS[round % CODECS.len()];
        let producer = Producer {
            id: random.i64(0..),
            epoch: random.i16(0..),
            sequence: random.i32(0..i32::MAX - 100),
            leader_epoch: random.i32(..),
            transactional: random.bool(),
        };
        let records = records(&mut random, &producer);
        let (here, there) = (written_here(codec, &producer, &records), written_there(their_codec, &records));
        if codec == Compression::None {
            assert_eq!(here[..], there[..]);
        }

        let read = theirs::RecordBatchDecoder::decode(&mut Bytes::from(here.clone())).unwrap();
        assert_eq!(read.records, records);

        for bytes in [&here[..], &there[..]] {
            let valid = validate::produce(bytes, &rules, &mut scratch).unwrap();
            assert_eq!(valid.header.to_bytes(), bytes[..record::BATCH_OVERHEAD], "nothing is to be changed");
            let batch = Batch::parse(bytes).unwrap();
            assert_eq!(batch.header().producer_id, producer.id);
            assert_eq!(batch.header().producer_epoch, producer.epoch);
            assert_eq!(batch.header().base_sequence, producer.sequence);
            assert_eq!(batch.header().partition_leader_epoch, producer.leader_epoch);
            assert_eq!(batch.header().attributes.is_transactional(), producer.transactional);
            let ours: Vec<_> = batch.records_decompressed(&mut scratch, 16 << 20).unwrap().collect();
            assert_eq!(ours.len(), records.len());
            for (ours, theirs) in ours.iter().zip(&records) {
                assert_same(ours.as_ref().unwrap(), theirs);
            }
        }
    }
}

#[test]
fn several_batches_in_a_row_are_read_by_both() {
    let mut random = Rng::with_seed(19);
    let mut stored = Vec::new();
    let mut all = Vec::new();
    for (codec, _) in CODECS {
        let producer = Producer { id: 1, epoch: 0, sequence: 0, leader_epoch: 0, transactional: false };
        let records = records(&mut random, &producer);
        stored.extend(written_here(codec, &producer, &records));
        all.extend(records);
    }
    let sets = theirs::RecordBatchDecoder::decode_all(&mut Bytes::from(stored.clone())).unwrap();
    assert_eq!(sets.into_iter().flat_map(|set| set.records).collect::<Vec<_>>(), all);
    let mut scratch = Scratch::new();
    let mut all = all.iter();
    for batch in batches(&stored) {
        let batch = batch.unwrap();
        for record in batch.records_decompressed(&mut scratch, 1 << 24).unwrap() {
            assert_same(&record.unwrap(), all.next().unwrap());
        }
    }
    assert_eq!(all.next(), None);
}
