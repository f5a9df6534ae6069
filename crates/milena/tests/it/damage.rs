//! One file of a directory damaged or lost, for each kind of file: what `milena check` says, and what a start makes of
//! it. What can be derived is mended, and nothing else is; what cannot be is refused, by the whole start or for the one
//! partition, with the file named. In no case is anything missing without a word.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::ErrorCode;
use protocol::messages::ListOffsetsRequest;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use record::Scratch;

use crate::harness::broker::Broker;
use crate::harness::clients::{consumer, try_create_topic};
use crate::harness::directory::Directory;
use crate::harness::raw::{Raw, batch, fetch_request};

/// Segments of a partition that Kafka wrote, with transactions that were committed, aborted and left open.
const CAPTURED: &str = "captured";
const END_OFFSET: i64 = 181;
const BASE_MS: i64 = 1_700_000_000_000;

/// A change to the bytes of a file; no bytes are no file.
type Change = fn(Vec<u8>) -> Option<Vec<u8>>;

fn lost(_: Vec<u8>) -> Option<Vec<u8>> {
    None
}

fn garbage(_: Vec<u8>) -> Option<Vec<u8>> {
    Some(b"noise \xff\xfe\n\n7 7 7".repeat(9))
}

fn emptied(_: Vec<u8>) -> Option<Vec<u8>> {
    Some(Vec::new())
}

fn cut(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    bytes.truncate(bytes.len().saturating_sub(3));
    Some(bytes)
}

fn flipped(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x15;
    Some(bytes)
}

/// Changes the first byte of each position in an index.
fn misleading(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    for entry in bytes.chunks_mut(8) {
        entry[3] = 0;
    }
    Some(bytes)
}

/// The length field of the first batch.
fn no_length(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    bytes[8..12].copy_from_slice(&3_i32.to_be_bytes());
    Some(bytes)
}

/// A log start offset of the captured partition above its end.
fn beyond_the_end(_: Vec<u8>) -> Option<Vec<u8>> {
    Some(format!("0\n1\n{CAPTURED} 0 {}\n", END_OFFSET + 5).into_bytes())
}

/// The outcome of a start on the damage.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// All is as it was.
    Mended,
    /// The same, and the log names the file.
    Warned,
    /// The records of the captured partition are not all served: who reads them meets an error, or the log says what
    /// it lacks.
    Told,
    /// Nothing is served, and the file is named.
    Refused,
}
use Start::{Mended, Refused, Told, Warned};

/// The view that clients have of a broker.
#[derive(Debug, PartialEq, Eq)]
struct ClientView {
    /// The offsets and checksums of the batches of the captured partition; or why they are not told.
    batches: Result<Vec<(i64, u32)>, String>,
    /// The aborted transactions that a reader of committed records is told of, by first offset and producer.
    aborted: BTreeSet<(i64, i64)>,
    last_stable_offset: i64,
    /// By time: the offset that is found.
    times: Vec<i64>,
    /// Of the topic beside it.
    whole: usize,
    committed: i64,
}

fn milena(words: &[&str]) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_milena")).args(words).env_remove("MILENA_LOG").output();
    let output = output.expect("the product's binary runs");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(path, to).map(|_| ()).expect("a copy") }
    }
}

/// Reads a partition from its start, each fetch at the offset after the last batch, every checksum verified.
fn batches(raw: &mut Raw, topic: &str) -> Result<Vec<(i64, u32)>, String> {
    let (mut offset, mut seen) = (0, Vec::new());
    loop {
        let answer = raw.fetch_one(&fetch_request(topic, 0, offset));
        if answer.error_code != ErrorCode::NONE {
            return Err(answer.error_code.name().to_owned());
        }
        let bytes = answer.records.as_bytes().cloned().unwrap_or_default();
        let before = offset;
        for batch in record::batches(&bytes) {
            let batch = batch.map_err(|error| error.to_string())?;
            batch.verify_crc().map_err(|error| error.to_string())?;
            let mut scratch = Scratch::new();
            let records =
                batch.records_decompressed(&mut scratch, 1 << 20).map_err(|error| error.to_string())?;
            if let Some(error) = records.into_iter().find_map(Result::err) {
                return Err(error.to_string());
            }
            seen.push((batch.header().base_offset, batch.header().crc));
            offset = batch.header().next_offset();
        }
        if offset == before {
            return Ok(seen);
        }
    }
}

impl ClientView {
    fn of(broker: &Broker) -> ClientView {
        let mut raw = Raw::open(broker.bootstrap());
        let batches = batches(&mut raw, CAPTURED);
        let (mut aborted, mut last_stable_offset, mut times) = (BTreeSet::new(), -1, Vec::new());
        for offset in (0..END_OFFSET).step_by(6) {
            let mut request = fetch_request(CAPTURED, 0, offset);
            request.isolation_level = 1;
            request.max_bytes = 1;
            let answer = raw.fetch_one(&request);
            last_stable_offset = last_stable_offset.max(answer.last_stable_offset);
            let told = answer.aborted_transactions.iter().flatten();
            aborted.extend(told.map(|txn| (txn.first_offset, txn.producer_id)));
            // Whatever the index says, the batch is the one that holds the offset.
            let bytes = answer.records.as_bytes().cloned().unwrap_or_default();
            if let (Ok(_), Some(Ok(first))) = (&batches, record::batches(&bytes).next()) {
                let header = first.header();
                assert!((header.base_offset..header.next_offset()).contains(&offset), "{offset}: {header:?}");
            }
        }
        for second in [0, 4, 60, 130, 220, 299] {
            times.push(offset_at(&mut raw, BASE_MS + second * 1000));
        }
        let whole = self::batches(&mut raw, "whole").expect("nothing is wrong with it").len();
        raw.await_coordinator("group");
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition("whole", 0);
        let limit = std::time::Duration::from_secs(20);
        let known =
            consumer(broker.bootstrap(), "group", &[]).committed_offsets(offsets, limit).expect("an answer");
        let committed = known.elements()[0].offset().to_raw().unwrap_or(-1);
        ClientView { batches, aborted, last_stable_offset, times, whole, committed }
    }
}

fn offset_at(raw: &mut Raw, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp };
    let topic = ListOffsetsTopic { name: CAPTURED.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    raw.ask(&request, 7).topics[0].partitions[0].offset
}

/// A directory that a broker left after a clean stop, and what clients saw of it.
fn sound() -> (Directory, ClientView) {
    let directory = Directory::new();
    let data = directory.path().join("data");
    let settings =
        [("offsets.topic.num.partitions", "1"), ("metadata.log.max.record.bytes.between.snapshots", "1")];
    let mut broker = Broker::on(&data, &settings).expect("it starts");
    for topic in ["whole", CAPTURED] {
        let settings = [("retention.ms", "-1"), ("index.interval.bytes", "300")];
        try_create_topic(broker.bootstrap(), topic, 1, &settings).expect("created");
    }
    let mut raw = Raw::open(broker.bootstrap());
    for _ in 0..20 {
        raw.append("whole", batch(&[b"value"]));
    }
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("whole", 0, Offset::Offset(7)).expect("an offset");
    consumer(broker.bootstrap(), "group", &[]).commit(&offsets, CommitMode::Sync).expect("committed");
    broker.stop();
    implant(&data);
    let mut broker = Broker::on(&data, &settings).expect("it starts again");
    let seen = ClientView::of(&broker);
    assert_eq!(seen.batches.as_ref().expect("all is there").len(), 61);
    assert_eq!((seen.aborted.len(), seen.last_stable_offset, seen.whole, seen.committed), (5, 175, 20, 7));
    broker.stop();
    (directory, seen)
}

/// Puts what Kafka wrote in the place of the empty partition.
fn implant(data: &Path) {
    let partition = data.join(format!("{CAPTURED}-0"));
    for entry in std::fs::read_dir(&partition).expect("the partition") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("partition.metadata") {
            std::fs::remove_file(path).expect("removed");
        }
    }
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/captured/clean/captured-0");
    for entry in std::fs::read_dir(from).expect("the captured partition") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("partition.metadata") {
            std::fs::copy(&path, partition.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
    for name in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
        let path = data.join(name);
        let text = std::fs::read_to_string(&path).expect("a checkpoint");
        let line = format!("{CAPTURED} 0 0");
        assert!(text.contains(&line), "{text}");
        std::fs::write(&path, text.replace(&line, &format!("{CAPTURED} 0 {END_OFFSET}"))).expect("written");
    }
}

/// The file below a directory whose name ends so: the first, or with `last` the last.
fn find(dir: &Path, ending: &str, last: bool) -> PathBuf {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    let found = if last { paths.pop() } else { paths.into_iter().next() };
    found.unwrap_or_else(|| dir.join(ending))
}

/// A file, what happens to it, whether `milena check` finds it damaged after a clean stop, and what a start makes of
/// it after a clean stop and after a crash.
type Case = (&'static str, Change, bool, Start, Start);

/// Damages one file of a copy, and compares what is said and served with what is expected.
fn suffer(sound: &(Directory, ClientView), (file, change, is_damage, clean, crashed): Case) -> Vec<String> {
    let mut failures = Vec::new();
    for (start, is_crash) in [(clean, false), (crashed, true)] {
        let directory = Directory::new();
        let data = directory.path().join("data");
        copy(&sound.0.path().join("data"), &data);
        if is_crash {
            std::fs::remove_file(data.join(".kafka_cleanshutdown")).expect("it was a clean stop");
        }
        let (folder, ending) = file.rsplit_once('/').unwrap_or(("", file));
        let path = find(&data.join(folder), ending.trim_start_matches('^'), ending.starts_with('^'));
        match change(std::fs::read(&path).unwrap_or_default()) {
            Some(bytes) => std::fs::write(&path, bytes).expect("written"),
            None => std::fs::remove_file(&path).expect("it is there"),
        }
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (said, is_sound) = milena(&["check", &data.display().to_string()]);
        // Of a segment that is lost the partition is named.
        let said_so = is_sound || said.contains(&name) || (!path.exists() && said.contains(folder));
        let mut failed = |why: String| failures.push(format!("{file}, is_crash {is_crash}: {why}"));
        if !is_crash && (is_sound == is_damage || !said_so) {
            failed(format!("check: {said}"));
        }
        if let Err(why) = start_on(&data, &name, start, &sound.1) {
            failed(why);
        }
    }
    failures
}

/// Starts a broker, and compares what clients see with what they saw before the damage.
fn start_on(data: &Path, name: &str, start: Start, sound: &ClientView) -> Result<(), String> {
    let broker = match (Broker::on(data, &[]), start) {
        (Err(refusal), Refused) if refusal.output.contains(name) => return Ok(()),
        (Err(refusal), _) => return Err(format!("refused: {}", refusal.output)),
        (Ok(_), Refused) => return Err("it starts".to_owned()),
        (Ok(broker), _) => broker,
    };
    let seen = ClientView::of(&broker);
    let told = broker.log();
    let is_right = match start {
        Mended => seen == *sound,
        Warned => seen == *sound && told.contains(name),
        // A reader meets an error, or the log has said what is gone.
        _ => seen.batches.is_err() || told.contains(name),
    };
    let others = (seen.whole, seen.committed) == (sound.whole, sound.committed);
    if is_right && others { Ok(()) } else { Err(format!("{seen:?}: {told}")) }
}

/// Goes through all cases; every one that failed is told.
fn suffer_all(cases: &[Case]) {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        return;
    }
    let sound = sound();
    let failures: Vec<String> = cases.iter().flat_map(|case| suffer(&sound, *case)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn damage_to_a_partition_is_mended_or_told() {
    suffer_all(&[
        ("captured-0/.log", flipped, true, Told, Told),
        ("captured-0/^.log", flipped, true, Told, Told),
        ("captured-0/^.log", no_length, true, Told, Told),
        ("captured-0/^.log", cut, true, Told, Told),
        ("captured-0/^.log", lost, true, Told, Told),
        ("captured-0/.index", lost, false, Mended, Mended),
        ("captured-0/^.index", lost, false, Mended, Mended),
        ("captured-0/.index", flipped, true, Mended, Mended),
        ("captured-0/.index", misleading, true, Mended, Mended),
        ("captured-0/.index", garbage, true, Mended, Mended),
        ("captured-0/.txnindex", cut, true, Mended, Mended),
        ("captured-0/.txnindex", garbage, true, Mended, Mended),
        ("captured-0/.index", cut, true, Mended, Mended),
        ("captured-0/^.index", flipped, true, Mended, Mended),
        ("captured-0/^.index", misleading, true, Mended, Mended),
        ("captured-0/^.index", garbage, true, Mended, Mended),
        ("captured-0/.timeindex", lost, false, Mended, Mended),
        ("captured-0/^.timeindex", garbage, true, Mended, Mended),
        ("captured-0/^.timeindex", cut, true, Mended, Mended),
        ("captured-0/^.snapshot", flipped, true, Mended, Mended),
        ("captured-0/^.snapshot", lost, false, Mended, Mended),
        ("captured-0/leader-epoch-checkpoint", garbage, true, Mended, Mended),
        ("captured-0/leader-epoch-checkpoint", lost, false, Mended, Mended),
        ("captured-0/partition.metadata", lost, false, Mended, Mended),
        ("captured-0/partition.metadata", garbage, true, Told, Told),
    ]);
}

#[test]
fn damage_to_what_partitions_share_is_mended_or_refused() {
    suffer_all(&[
        ("recovery-point-offset-checkpoint", garbage, true, Warned, Warned),
        ("recovery-point-offset-checkpoint", lost, false, Mended, Mended),
        ("log-start-offset-checkpoint", garbage, true, Warned, Warned),
        ("log-start-offset-checkpoint", beyond_the_end, true, Told, Told),
        ("replication-offset-checkpoint", garbage, true, Warned, Warned),
        ("replication-offset-checkpoint", lost, false, Mended, Mended),
        ("cleaner-offset-checkpoint", garbage, true, Mended, Mended),
        ("meta.properties", garbage, true, Refused, Refused),
        ("meta.properties", lost, true, Refused, Refused),
        (".lock", garbage, false, Mended, Mended),
        ("__cluster_metadata-0/.log", flipped, true, Refused, Refused),
        ("__cluster_metadata-0/^.checkpoint", flipped, true, Refused, Refused),
        ("__cluster_metadata-0/^.checkpoint", emptied, true, Refused, Refused),
        ("__cluster_metadata-0/quorum-state", garbage, true, Refused, Refused),
        ("__cluster_metadata-0/quorum-state", lost, true, Refused, Refused),
        ("__cluster_metadata-0/leader-epoch-checkpoint", garbage, true, Mended, Mended),
    ]);
}
