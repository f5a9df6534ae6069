//! Comparison with Kafka's own classes, by the captures in `captured`; `capture/README.md` describes how to
//! make them and the format of their lines.
#![allow(clippy::disallowed_methods, reason = "a test looks things up, and iterates over none")]

use std::collections::HashMap;

use record::validate::{Rejection, produce};
use record::{
    BATCH_OVERHEAD, Batch, BatchBuilder, BatchHeader, Compression, DecompressError, Header, InvalidBatch,
    ProduceRules, Record, RecordsError, Scratch, TimestampType, control,
};

const WRITTEN: &str = include_str!("captured/written.txt");
const VERDICTS: &str = include_str!("captured/verdicts.txt");
/// The clock of the captures.
const NOW_MS: i64 = 1_700_000_000_000;

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The captured batches: their contents, their codec, their bytes.
fn written() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
    WRITTEN.lines().map(|line| {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap();
        (next(), next(), unhex(next()))
    })
}

/// The fields of a record that can be compared.
type Fields = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn fields(record: &Record<'_>) -> Fields {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = record.headers.clone().map(|header| (header.key.to_vec(), owned(header.value))).collect();
    (record.offset, record.timestamp, owned(record.key), owned(record.value), headers)
}

fn read(bytes: &[u8], scratch: &mut Scratch) -> (BatchHeader, Vec<Fields>) {
    let batch = Batch::parse(bytes).unwrap();
    batch.verify_crc().unwrap();
    let records = batch.records_decompressed(scratch, 1 << 24).unwrap();
    (*batch.header(), records.map(|record| fields(&record.unwrap())).collect())
}

/// The batch rebuilt by this crate.
fn rebuilt(bytes: &[u8]) -> Vec<u8> {
    let batch = Batch::parse(bytes).unwrap();
    let header = batch.header();
    let mut builder = BatchBuilder::new(Compression::None)
        .base_offset(header.base_offset)
        .partition_leader_epoch(header.partition_leader_epoch)
        .producer(header.producer_id, header.producer_epoch, header.base_sequence);
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    if header.attributes.is_control() {
        builder = builder.control();
    }
    for record in batch.records() {
        builder.push_record(&record.unwrap());
    }
    builder.build()
}

#[test]
fn batches_that_kafka_wrote_are_read() {
    let mut scratch = Scratch::new();
    let mut uncompressed = HashMap::new();
    for (content, codec, bytes) in written() {
        let (header, records) = read(&bytes, &mut scratch);
        assert_eq!(header.attributes.compression().unwrap().name(), codec);
        assert_eq!(header.records_count as usize, records.len());
        if content == "periodic" {
            let value = b"0123456789".repeat(15_000);
            assert_eq!(records, [(0, NOW_MS, None, Some(value), vec![])]);
        } else {
            // The same content came uncompressed first.
            assert_eq!(
                *uncompressed.entry(content).or_insert_with(|| records.clone()),
                records,
                "{content} {codec}"
            );
        }
    }
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(uncompressed["one"], [(0, NOW_MS, bytes("key"), bytes("value"), vec![])]);
    let nulls = [
        (0, -1, None, None, vec![]),
        (1, 0, bytes(""), bytes(""), vec![]),
        (2, NOW_MS, None, bytes("value"), vec![]),
        (3, 5, bytes("key"), None, vec![]),
    ];
    assert_eq!(uncompressed["nulls"], nulls);
    let headers = &uncompressed["headers"][0].4;
    assert_eq!(headers[..2], [(b"first".to_vec(), bytes("1")), (vec![], None)]);
    assert_eq!(headers[2], ("ünïcode".as_bytes().to_vec(), Some(vec![0; 200])));
    assert_eq!(uncompressed["many"].len(), 150);
}

#[test]
fn what_kafka_writes_is_written_the_same() {
    let mut compared = 0;
    for (content, codec, bytes) in written() {
        // Compressors differ; and with append time the records' own timestamps are not to be read.
        if codec == "none" && content != "append-time" {
            assert_eq!(rebuilt(&bytes), bytes, "{content}");
            compared += 1;
        }
    }
    assert!(compared >= 11, "{compared}");
}

#[test]
fn append_time_is_that_of_the_batch() {
    let (_, _, bytes) = written().find(|(content, ..)| *content == "append-time").unwrap();
    let (header, records) = read(&bytes, &mut Scratch::new());
    assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
    assert!(records.len() == 4 && records.iter().all(|record| record.1 == header.max_timestamp));
}

#[test]
fn control_batches_are_kafkas() {
    let captured = |name| written().find(|(content, ..)| *content == name).unwrap().2;
    for (name, committed) in [("commit", true), ("abort", false)] {
        let marker = control::EndTransactionMarker { committed, coordinator_epoch: 1_000_000 };
        let batch = marker.batch(77, 3, NOW_MS).base_offset(55).partition_leader_epoch(6).build();
        assert_eq!(batch, captured(name));
        let record = Batch::parse(&batch).unwrap().records().next().unwrap().unwrap();
        assert_eq!(control::EndTransactionMarker::read(&record), Ok(marker));
    }
    let quorum = [
        ("leader-change", control::ControlType::LeaderChange, 12),
        ("snapshot-header", control::ControlType::SnapshotHeader, 0),
    ];
    for (name, control_type, base_offset) in quorum {
        let captured = captured(name);
        let record = Batch::parse(&captured).unwrap().records().next().unwrap().unwrap();
        assert_eq!(control::ControlType::of(&record), Ok(Some(control_type)));
        let batch = control::batch(control_type, record.value.unwrap(), NOW_MS);
        assert_eq!(batch.base_offset(base_offset).partition_leader_epoch(4).build(), captured);
    }
}

#[test]
fn compressed_here_the_same_records_come_out() {
    let mut scratch = Scratch::new();
    for (content, _, bytes) in written().filter(|(content, ..)| *content != "append-time") {
        let (_, records) = read(&bytes, &mut scratch);
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let mut builder = BatchBuilder::new(codec).base_offset(records[0].0);
            for (_, timestamp, key, value, headers) in &records {
                let headers: Vec<Header<'_>> =
                    headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
                builder.push(*timestamp, key.as_deref(), value.as_deref(), &headers);
            }
            let (_, again) = read(&builder.build(), &mut scratch);
            if content == "gaps" {
                assert_eq!(again.len(), records.len());
            } else {
                assert_eq!(again, records, "{content} {codec:?}");
            }
        }
    }
}

/// Kafka's verdict on a batch.
#[derive(Debug)]
enum Verdict {
    /// Stored with that header, from the magic on.
    Stored(Vec<u8>),
    /// Rejected with that error, because of those records.
    Refused(i16, Vec<i32>),
}

struct Case {
    line: &'static str,
    rules: ProduceRules,
    bytes: Vec<u8>,
    verdict: Verdict,
}

fn cases() -> Vec<Case> {
    let mut topics = HashMap::new();
    let mut bases: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut cases = Vec::new();
    for line in VERDICTS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["topic", name, timestamp_type, before, after, compacted] => {
                topics.insert(name, rules(timestamp_type, before, after, compacted));
            }
            ["base", name, hex] => {
                bases.insert(name, unhex(hex));
            }
            ["case", topic, version, base, changes, ref verdict @ ..] => {
                let bytes = changed(bases[base].clone(), changes);
                let verdict = match verdict {
                    ["same"] => Verdict::Stored(bytes[16..BATCH_OVERHEAD].to_vec()),
                    ["stored", header] => Verdict::Stored(unhex(header)),
                    ["error", code, records @ ..] => Verdict::Refused(
                        code.parse().unwrap(),
                        records.iter().map(|index| index.parse().unwrap()).collect(),
                    ),
                    _ => panic!("{line}"),
                };
                let rules = ProduceRules { request_version: version.parse().unwrap(), ..topics[topic] };
                cases.push(Case { line, rules, bytes, verdict });
            }
            _ => panic!("{line}"),
        }
    }
    cases
}

fn rules(timestamp_type: &str, before: &str, after: &str, compacted: &str) -> ProduceRules {
    ProduceRules {
        request_version: 0,
        now_ms: NOW_MS,
        max_message_bytes: 5000,
        // As in Kafka, wrong lengths are found at the end of the bytes and not at a limit.
        max_decompressed_bytes: usize::MAX,
        max_record_bytes: usize::MAX,
        compacted: compacted == "true",
        timestamp_type: match timestamp_type {
            "CreateTime" => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: before.parse().unwrap(),
        timestamp_after_max_ms: after.parse().unwrap(),
    }
}

fn changed(mut bytes: Vec<u8>, changes: &str) -> Vec<u8> {
    let mut keep_crc = false;
    for change in changes.split(',') {
        match change.split_at(1) {
            ("-", "") => {}
            ("!", "") => keep_crc = true,
            ("+", hex) => bytes.extend(unhex(hex)),
            ("<", length) => bytes.truncate(length.parse().unwrap()),
            _ => {
                let (position, hex) = change.split_once('=').unwrap();
                let (position, with) = (position.parse::<usize>().unwrap(), unhex(hex));
                bytes[position..position + with.len()].copy_from_slice(&with);
            }
        }
    }
    if !keep_crc && bytes.len() >= 21 {
        let crc = crc_fast::crc32_iscsi(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// The reason to reject a batch that Kafka stores, or for which it gives an unspecific error; see the table
/// in `validate`. `None` if there is no such reason.
fn reason(error: &InvalidBatch, case: &Case) -> Option<&'static str> {
    let stored = matches!(case.verdict, Verdict::Stored(_));
    let fails = matches!(case.verdict, Verdict::Refused(-1, _));
    let compressed = case.bytes[22] & 7 != 0;
    Some(match error {
        InvalidBatch::OffsetDelta { .. } if stored || (fails && compressed) => "offset delta",
        InvalidBatch::DeleteHorizon if stored => "delete horizon",
        InvalidBatch::TransactionalWithoutProducer if stored => "transactional without a producer",
        InvalidBatch::Producer { producer_id: ..-1, .. } if stored => "producer id below -1",
        InvalidBatch::Producer { producer_epoch: ..0, .. } if stored => "producer epoch below 0",
        InvalidBatch::RejectedTimestamps(errors) if stored => match errors[0].rejection {
            Rejection::TimestampType => "timestamp type",
            _ => return None,
        },
        InvalidBatch::UnknownCodec(_) if fails => "unknown codec",
        InvalidBatch::Decompress(DecompressError::Malformed(_)) if fails => "cannot be decompressed",
        InvalidBatch::Decompress(DecompressError::Malformed(codec)) if stored => match codec {
            _ if case.line.contains(" +") => "bytes behind the compressed stream",
            Compression::Gzip if case.line.contains(" 64=80 ") => "reserved gzip flag",
            _ => return reason_of_frame(case.line.split(' ').nth(3).expect("a base")),
        },
        InvalidBatch::Records(RecordsError::Record { .. }) if stored && compressed => "length of a record",
        InvalidBatch::NoBatch if fails => "length beyond an i32",
        _ => return None,
    })
}

/// The same for the streams that `capture/Frames.java` makes.
fn reason_of_frame(base: &str) -> Option<&'static str> {
    Some(match base {
        "gzip-second-header-cut"
        | "gzip-garbage-behind"
        | "snappy-length-cut"
        | "lz4-empty-last"
        | "lz4-skippable-last"
        | "zstd-skippable-cut" => "bytes behind the compressed stream",
        "snappy-two-streams" => "a second stream of snappy",
        "lz4-content-checksum-wrong" | "lz4-content-size-wrong" => "checksum and size of an lz4 frame",
        _ => return None,
    })
}

#[test]
fn every_verdict_is_kafkas_or_a_stricter_one_for_a_reason() {
    let mut scratch = Scratch::new();
    let mut same = 0;
    let mut stricter: HashMap<&str, u32> = HashMap::new();
    for case in cases() {
        let line = case.line;
        match (produce(&case.bytes, &case.rules, &mut scratch), &case.verdict) {
            (Ok(valid), Verdict::Stored(header)) => {
                assert_eq!(valid.stamp(0, 0)[16..], header[..], "{line}");
                same += 1;
            }
            (Ok(_), Verdict::Refused(..)) => panic!("accepted here: {line}"),
            (Err(error), Verdict::Refused(code, records)) if error.error_code() == *code => {
                let ours: Vec<i32> = error.record_errors().iter().map(|error| error.batch_index).collect();
                assert_eq!(&ours, records, "{line}");
                same += 1;
            }
            (Err(error), _) => {
                let reason = reason(&error, &case);
                *stricter.entry(reason.unwrap_or_else(|| panic!("{error:?}: {line}"))).or_default() += 1;
            }
        }
    }
    // Most must agree, and each reason must have come up: else the captures do not show what they should.
    assert!(same >= 2600, "{same}");
    assert_eq!(stricter.len(), 14, "{stricter:?}");
}
