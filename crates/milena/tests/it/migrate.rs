//! `milena migrate check` and `milena start`, on directories that Kafka left.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use protocol::messages::ApiVersionsRequest;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::harness::broker::Broker;
use crate::harness::clients::{Producer, consumer, create_topic};
use crate::harness::directory::Directory;
use crate::harness::raw::Raw;
use crate::harness::unique;

/// Copies a captured directory, so that it may be changed.
fn copy_of(name: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metadata/src/quorum/tests/captured").join(name);
    let to = std::env::temp_dir().join(unique("milena-migrate"));
    copy(&from, &to);
    to
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(path, to).map(|_| ()).unwrap() }
    }
}

/// Every file with its bytes, and every directory.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = vec![(dir.to_owned(), Vec::new())];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

fn check(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_milena"))
        .args(["migrate", "check"])
        .arg(dir)
        .args(words)
        .env_remove("MILENA_LOG")
        .output()
        .unwrap()
}

#[test]
fn a_check_tells_what_is_there_and_changes_nothing() {
    for name in ["static", "dynamic"] {
        let dir = copy_of(name);
        let before = contents(&dir);
        let output = check(&dir, &["--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["clusterId"], "AAAAAAAAQACAAAAAAAAAAQ");
        assert_eq!(
            (&found["nodeId"], &found["topics"], &found["partitions"]),
            (&json!(1), &json!(2), &json!(5))
        );
        assert_eq!(found["features"]["metadata.version"], 30);
        assert_eq!(found["keptAndNotEnforced"], json!({ "SCRAM credentials": 1, "quotas": 1 }));
        assert_eq!(found["refusals"], json!([]));
        let output = check(&dir, &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().any(|line| line.split_whitespace().eq(["partitions", "5"])), "{text}");
        assert!(text.contains("30 (4.3-IV0)") && text.contains("an older Kafka may not read"), "{text}");
        assert_eq!(contents(&dir), before);
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn a_check_fails_where_a_start_would() {
    let dir = copy_of("static");
    let properties = dir.join("meta.properties");
    let of_node = |id: i32| format!("version=1\nnode.id={id}\ncluster.id=x\n");
    std::fs::write(&properties, of_node(7)).unwrap();
    let before = contents(&dir);
    let output = check(&dir, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("names the voters 1 of the metadata quorum, and this is node 7"), "{said}");
    assert_eq!(contents(&dir), before);
    std::fs::write(&properties, "version=0\nbroker.id=1\n").unwrap();
    let said = String::from_utf8(check(&dir, &[]).stderr).unwrap();
    assert!(said.contains("not of version 1"), "{said}");
    std::fs::write(&properties, "version=2\nnode.id=1\n").unwrap();
    let said = String::from_utf8(check(&dir, &[]).stderr).unwrap();
    assert!(said.contains("a later Kafka wrote it"), "{said}");
    std::fs::write(&properties, of_node(1)).unwrap();
    let log = dir.join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    // A crash may tear the end; after a clean stop a whole end was there, and is damaged.
    std::fs::write(&log, &bytes[..bytes.len() - 7]).unwrap();
    assert!(check(&dir, &[]).status.success());
    std::fs::write(dir.join(".kafka_cleanshutdown"), b"").unwrap();
    let said = String::from_utf8(check(&dir, &[]).stderr).unwrap();
    assert!(said.contains("00000000000000000000.log"), "{said}");
    std::fs::remove_file(dir.join(".kafka_cleanshutdown")).unwrap();
    bytes.drain(..91);
    std::fs::write(&log, bytes).unwrap();
    let output = check(&dir, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("missing"), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// A start on another node's directory is refused, and what the clean stop left stays: the right start finds it.
#[test]
fn a_refused_start_changes_nothing() {
    let dir = copy_of("static");
    std::fs::write(dir.join(".lock"), b"").unwrap();
    std::fs::write(dir.join(".kafka_cleanshutdown"), b"{\"version\":0,\"brokerEpoch\":4}").unwrap();
    let before = contents(&dir);
    let Err(refusal) = Broker::on(&dir, &[("node.id", "7")]) else { panic!("it is node 1's") };
    assert!(refusal.output.contains("belongs to node 1"), "{}", refusal.output);
    assert_eq!(contents(&dir), before);
    // The metadata may be in a directory that log.dirs does not name.
    let other = Directory::new();
    let (data, metadata) = (other.path().join("data"), dir.display().to_string());
    std::fs::write(dir.join("meta.properties"), "version=1\nnode.id=7\ncluster.id=x\n").unwrap();
    let before = contents(&dir);
    let settings = [("node.id", "7"), ("metadata.log.dir", metadata.as_str())];
    let Err(refusal) = Broker::on(&data, &settings) else { panic!("it is node 1's") };
    assert!(refusal.output.contains("and this is node 7"), "{}", refusal.output);
    assert_eq!(contents(&dir), before);
    std::fs::remove_dir_all(dir).unwrap();
}

/// A fault of a directory, and a part of the message about it.
type Fault = (fn(&Path), &'static str);

/// Faults of a directory that Kafka stopped cleanly.
const FAULTS: [Fault; 10] = [
    (|dir| remove(dir, "__cluster_metadata-0/quorum-state"), "is missing or old"),
    (|dir| write(dir, "__cluster_metadata-0/quorum-state", "{"), "does not hold a vote"),
    (
        |dir| {
            let voters = r#"{"clusterId":"","leaderId":100,"leaderEpoch":9,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":100}],"data_version":0}"#;
            write(dir, "__cluster_metadata-0/quorum-state", voters);
        },
        "names the voters 100 of the metadata quorum",
    ),
    (
        |dir| write(dir, "__cluster_metadata-0/00000000000000000010-0000000001.checkpoint", "not one"),
        "00000000000000000010-0000000001.checkpoint is damaged",
    ),
    (|dir| flip(dir, "__cluster_metadata-0/00000000000000000000.log", 200), "00000000000000000000.log"),
    (|dir| truncate(dir, "__cluster_metadata-0/00000000000000000000.log", 7), "00000000000000000000.log"),
    (|dir| remove(dir, "meta.properties"), "meta.properties"),
    (|dir| write(dir, "meta.properties", "version=2\nnode.id=1\ncluster.id=x\n"), "a later Kafka wrote"),
    (|dir| write(dir, "meta.properties", "version=1\nnode.id=7\ncluster.id=x\n"), "and this is node 7"),
    (
        |dir| {
            std::fs::remove_dir_all(dir.join("__cluster_metadata-0")).unwrap();
            std::fs::create_dir(dir.join("foo-0")).unwrap();
        },
        "metadata log",
    ),
];

fn remove(dir: &Path, name: &str) {
    std::fs::remove_file(dir.join(name)).unwrap();
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

fn flip(dir: &Path, name: &str, at: usize) {
    let mut bytes = std::fs::read(dir.join(name)).unwrap();
    bytes[at] ^= 0x41;
    std::fs::write(dir.join(name), bytes).unwrap();
}

fn truncate(dir: &Path, name: &str, by: usize) {
    let bytes = std::fs::read(dir.join(name)).unwrap();
    std::fs::write(dir.join(name), &bytes[..bytes.len() - by]).unwrap();
}

/// Every reason in a directory to refuse a start: nothing is changed, not the file of the clean stop either, no file is
/// made, and `migrate check` has said so before.
#[test]
fn whatever_refuses_a_start_changes_nothing_and_is_told_beforehand() {
    for (fault, said) in FAULTS {
        let dir = copy_of("static");
        std::fs::write(dir.join(".kafka_cleanshutdown"), b"{\"version\":0,\"brokerEpoch\":4}").unwrap();
        fault(&dir);
        let before = contents(&dir);
        let output = check(&dir, &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(said), "{said:?} is not in {told}");
        assert_eq!(contents(&dir), before, "{said}: the check changed something");
        let Err(refusal) = Broker::on(&dir, &[]) else { panic!("it started: {said}") };
        assert!(refusal.output.contains(said), "{said:?} is not in {}", refusal.output);
        assert_eq!(contents(&dir), before, "{said}: the start changed something");
        std::fs::remove_dir_all(dir).unwrap();
    }
}

/// The same of several directories that do not belong together.
#[test]
fn directories_that_do_not_belong_together_are_left_as_they_are() {
    let partition = |dir: &Path, name: &str| {
        std::fs::create_dir_all(dir.join(name)).unwrap();
        std::fs::write(dir.join(name).join("00000000000000000000.log"), b"").unwrap();
    };
    let properties = |dir: &Path, cluster: &str, id: &str| {
        write(
            dir,
            "meta.properties",
            &format!("version=1\nnode.id=1\ncluster.id={cluster}\ndirectory.id={id}\n"),
        );
    };
    let id = std::fs::read_to_string(copy_of("static").join("meta.properties")).unwrap();
    let id = id.lines().find_map(|line| line.strip_prefix("directory.id=")).unwrap().to_owned();
    let other = "AwMDAwMDAwMDAwMDAwMDAw";
    type Second<'a> = (&'a dyn Fn(&Path, &Path), &'a str);
    let seconds: [Second<'_>; 4] = [
        (&|_, dir| properties(dir, "AAAAAAAAQACAAAAAAAAAAQ", &id), "the same directory.id"),
        (&|_, dir| properties(dir, "another", other), "belongs to cluster another"),
        (
            &|_, dir| {
                properties(dir, "AAAAAAAAQACAAAAAAAAAAQ", other);
                partition(dir, "__cluster_metadata-0");
            },
            "has the metadata log",
        ),
        (
            &|first, dir| {
                properties(dir, "AAAAAAAAQACAAAAAAAAAAQ", other);
                write(first, "meta.properties", "version=1\nnode.id=1\ncluster.id=AAAAAAAAQACAAAAAAAAAAQ\n");
                for dir in [first, dir] {
                    partition(dir, "foo-0");
                }
            },
            "foo-0 exists in both",
        ),
    ];
    for (make, said) in seconds {
        let dir = copy_of("static");
        let second = std::env::temp_dir().join(unique("milena-migrate-second"));
        std::fs::create_dir_all(&second).unwrap();
        make(&dir, &second);
        let before = [contents(&dir), contents(&second)];
        let both = format!("{},{}", dir.display(), second.display());
        let told = check(&dir, &[&second.display().to_string()]);
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.contains(said) || said.contains("another"), "{said:?} is not in {told}");
        let Err(refusal) = Broker::on(&dir, &[("log.dirs", &both)]) else { panic!("it started: {said}") };
        assert!(refusal.output.contains(said), "{said:?} is not in {}", refusal.output);
        assert_eq!([contents(&dir), contents(&second)], before, "{said}");
        std::fs::remove_dir_all(dir).unwrap();
        std::fs::remove_dir_all(second).unwrap();
    }
}

/// Kafka's `format` has written, and no broker has opened: check and start say yes, and what it wrote is there.
#[test]
fn a_formatted_directory_is_opened_as_it_was_formatted() {
    for name in
        ["formatted-3.3", "formatted-4.3", "formatted-4.3-dynamic", "formatted-4.4", "formatted-4.4-dynamic"]
    {
        let dir = copy_of(name);
        let output = check(&dir, &["--json"]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let before: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut broker = Broker::on(&dir, &[]).unwrap();
        create_topic(broker.bootstrap(), "first", 1, &[]);
        broker.stop();
        let output = check(&dir, &["--json"]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let after: Value = serde_json::from_slice(&output.stdout).unwrap();
        for what in ["features", "keptAndNotEnforced", "kraftVersion", "clusterId", "nodeId"] {
            assert_eq!(before[what], after[what], "{name}: {what}");
        }
        let scram = if name == "formatted-3.3" { json!(null) } else { json!(1) };
        assert_eq!(after["keptAndNotEnforced"]["SCRAM credentials"], scram, "{name}");
        assert_eq!(after["topics"], 1, "{name}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn the_number_of_the_node_is_that_of_its_directory() {
    let directory = Directory::new();
    let node_of = |settings: &[(&str, &str)]| {
        let mut broker = Broker::on(directory.path(), settings).unwrap();
        let metadata = consumer(broker.bootstrap(), "none", &[])
            .fetch_metadata(None, std::time::Duration::from_secs(20));
        broker.stop();
        metadata.unwrap().brokers()[0].id()
    };
    assert_eq!(node_of(&[("node.id", "5")]), 5);
    assert_eq!(node_of(&[]), 5);
}

/// Levels of features that are kept for Kafka are not told to clients, who would speak them.
#[test]
fn clients_are_told_of_features_that_are_served() {
    let dir = copy_of("static");
    let before: Value = serde_json::from_slice(&check(&dir, &["--json"]).stdout).unwrap();
    assert_eq!(before["features"]["transaction.version"], 2);
    let broker = Broker::on(&dir, &[]).unwrap();
    let request =
        ApiVersionsRequest { client_software_name: "test".into(), client_software_version: "1".into() };
    let response = Raw::open(broker.bootstrap()).ask(&request, 4);
    let supported: Vec<_> = response.supported_features.iter().map(|feature| feature.name.clone()).collect();
    assert!(
        response.finalized_features.iter().all(|feature| supported.contains(&feature.name)),
        "{response:?}"
    );
    assert!(response.finalized_features.iter().any(|feature| &*feature.name == "metadata.version"));
    drop(broker);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_check_counts_segments_producers_and_groups() {
    let directory = Directory::new();
    let mut broker = Broker::on(directory.path(), &[]).unwrap();
    let topic = create_topic(broker.bootstrap(), "counted", 2, &[]);
    let producer = Producer::new(broker.bootstrap(), &[("enable.idempotence", "true")]);
    producer.send(&topic, 0, 0, 100);
    producer.acknowledged();
    for group in ["first", "second"] {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&topic, 0, Offset::Offset(1)).unwrap();
        offsets.add_partition_offset(&topic, 1, Offset::Offset(0)).unwrap();
        consumer(broker.bootstrap(), group, &[]).commit(&offsets, CommitMode::Sync).unwrap();
    }
    broker.stop();
    let before = contents(directory.path());
    let output = check(directory.path(), &["--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["partitions"], &found["partitionsFound"]), (&json!(52), &json!(52)));
    assert_eq!((&found["segments"], &found["producers"]), (&json!(52), &json!(1)));
    assert_eq!((&found["groupsWithOffsets"], &found["committedOffsets"]), (&json!(2), &json!(4)));
    assert_eq!((&found["openTransactions"], &found["damagedPlaces"]), (&json!([]), &json!(0)));
    assert!(found["bytes"].as_u64().unwrap() > 300, "{found}");
    assert_eq!(contents(directory.path()), before);
}
