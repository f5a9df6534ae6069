//! `milena dump` on what a broker left.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::harness::broker::Broker;
use crate::harness::directory::Directory;
use crate::harness::unique;

fn milena(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.args(words).env_remove("MILENA_LOG").stdin(Stdio::null());
    command.output().expect("the product's binary runs")
}

/// The lines that a dump prints for programs, and whether it found all in order.
fn dump(path: &Path, words: &[&str]) -> (Vec<Value>, bool) {
    let path = path.display().to_string();
    let output = milena(&[&["dump", &path, "--json"], words].concat());
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let parsed = lines.lines().map(|line| serde_json::from_str(line).expect("each line is JSON"));
    (parsed.collect(), output.status.success())
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// The directory of a broker that has stopped, with one topic of two batches.
fn left_behind(topic: &str) -> Directory {
    let directory = Directory::new();
    let mut broker = Broker::on(directory.path(), &[]).expect("it starts");
    let at = broker.bootstrap().to_owned();
    let created = milena(&["topic", "create", topic, "-p", "1", "--bootstrap-server", &at]);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    for value in ["first", "second"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_milena"))
            .args(["produce", topic, "--bootstrap-server", &at])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the product's binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, format!("{value}\n").as_bytes()).expect("it reads");
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }
    broker.stop();
    directory
}

#[test]
fn what_a_broker_left_is_shown_and_damage_has_its_position() {
    let topic = unique("dumped");
    let directory = left_behind(&topic);
    let partition = directory.path().join(format!("{topic}-0"));
    let segment = partition.join("00000000000000000000.log");

    let (lines, whole) = dump(&partition, &["--records"]);
    assert!(whole, "{lines:?}");
    let batches = of_kind(&lines, "batch");
    assert_eq!(batches.len(), 2, "{lines:?}");
    let values: Vec<_> = of_kind(&lines, "record").iter().map(|record| record["value"].clone()).collect();
    assert_eq!(values, ["first", "second"]);
    let topic_id = of_kind(&lines, "line").iter().any(|line| line["text"].to_string().contains("topic_id: "));
    assert!(topic_id, "{lines:?}");
    let (hex, _) = dump(&segment, &["--records", "--bytes", "hex"]);
    assert_eq!(of_kind(&hex, "record")[0]["value"], "6669727374");

    let (metadata, whole) = dump(&directory.path().join("__cluster_metadata-0"), &[]);
    assert!(whole, "{metadata:?}");
    let named = |record: &&&Value| {
        record["value"]["type"] == "TopicRecord" && record["value"]["data"]["name"] == topic.as_str()
    };
    assert_eq!(of_kind(&metadata, "record").iter().filter(named).count(), 1, "{metadata:?}");

    // A bit of the first batch: it is told where, and the second one is still shown.
    let mut bytes = std::fs::read(&segment).expect("the segment");
    bytes[70] ^= 1;
    std::fs::write(&segment, &bytes).expect("the segment");
    let (lines, whole) = dump(&segment, &["--records"]);
    assert!(!whole);
    let damage = of_kind(&lines, "damage");
    assert_eq!((damage.len(), damage[0]["position"].as_u64()), (1, Some(0)), "{lines:?}");
    assert_eq!(of_kind(&lines, "record")[0]["value"], "second");
    assert_eq!(std::fs::read(&segment).expect("the segment"), bytes, "a dump changes nothing");
}

#[test]
fn damage_of_an_index_and_of_a_snapshot_is_told() {
    let topic = unique("dumped");
    let directory = left_behind(&topic);
    let partition = directory.path().join(format!("{topic}-0"));
    let index = partition.join("00000000000000000000.index");
    // An entry of a batch that is not there, and half of another.
    std::fs::write(&index, [0, 0, 0, 1, 0, 0, 0, 5, 0, 0]).expect("the index");
    let (lines, whole) = dump(&index, &[]);
    assert!(!whole);
    let damage: Vec<_> = of_kind(&lines, "damage").iter().map(|line| line["damage"].to_string()).collect();
    assert!(damage.iter().any(|what| what.contains("no batch begins at 5")), "{damage:?}");
    assert!(damage.iter().any(|what| what.contains("2 bytes at the end")), "{damage:?}");

    // The time of the last record at the offset of the first, and a time that no record has.
    let segment = partition.join("00000000000000000000.log");
    let (records, _) = dump(&segment, &["--records"]);
    let times: Vec<_> = of_kind(&records, "record")
        .iter()
        .map(|record| record["timestamp"].as_i64().expect("a time"))
        .collect();
    let index = partition.join("00000000000000000000.timeindex");
    let entry = |timestamp: i64, offset: u8| [&timestamp.to_be_bytes()[..], &[0, 0, 0, offset]].concat();
    let told = |bytes: &[u8]| {
        std::fs::write(&index, bytes).expect("the index");
        let (lines, whole) = dump(&index, &[]);
        assert_eq!(whole, of_kind(&lines, "damage").is_empty());
        of_kind(&lines, "damage")
            .iter()
            .map(|line| line["position"].as_u64().expect("where"))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&entry(times[1], 1)), [0; 0]);
    assert_eq!(told(&[entry(times[0], 0), entry(times[1], 1)].concat()), [0; 0]);
    assert_eq!(told(&[entry(times[0], 0), entry(times[1] + 1, 1)].concat()), [12]);
    assert_eq!(told(&entry(times[0] - 1, 1)), [0]);
    assert_eq!(told(&[entry(times[0], 0), entry(times[0], 1)].concat()), [12]);
    assert_eq!(told(&entry(times[1], 2)), [0]);
    assert_eq!(told(&[entry(times[0], 0), vec![0]].concat()), [0]);

    let snapshot = partition.join("00000000000000000009.snapshot");
    std::fs::write(&snapshot, [0; 20]).expect("a snapshot");
    let (lines, whole) = dump(&snapshot, &[]);
    assert!(!whole && of_kind(&lines, "damage")[0]["damage"].to_string().contains("version"), "{lines:?}");

    let unknown = milena(&["dump", &directory.path().join(".lock").display().to_string()]);
    assert_eq!(unknown.status.code(), Some(2));
}

/// Files that were copied under other names say nothing of themselves.
#[test]
fn a_kind_is_taken_for_what_a_name_does_not_tell() {
    let topic = unique("dumped");
    let directory = left_behind(&topic);
    let copies = Directory::new();
    let copy = |from: &str| {
        let to = copies.path().join("copy");
        std::fs::copy(directory.path().join(from), &to).expect("copied");
        to
    };
    let shown = |from: &str, kind: &str, what: &str| {
        let (lines, whole) = dump(&copy(from), &["--kind", kind]);
        assert!(whole, "{from}: {lines:?}");
        let found = of_kind(&lines, what).into_iter().cloned().collect::<Vec<_>>();
        assert!(!found.is_empty(), "{from} as {kind}: {lines:?}");
        found
    };
    let metadata = "__cluster_metadata-0/00000000000000000000.log";
    let unnamed = milena(&["dump", &copy(metadata).display().to_string()]);
    let said = String::from_utf8_lossy(&unnamed.stderr).into_owned();
    assert!(unnamed.status.code() == Some(2) && said.contains("--kind"), "{said}");
    let records = shown(metadata, "metadata", "record");
    assert!(records.iter().any(|record| record["value"]["type"] == "TopicRecord"), "{records:?}");
    assert!(dump(&copy(metadata), &["--kind", "segment"]).0.iter().all(|line| line["kind"] == "batch"));
    let (wrong, whole) = dump(&copy(metadata), &["--kind", "offsets"]);
    assert!(!whole && !of_kind(&wrong, "damage").is_empty(), "{wrong:?}");
    let batches = shown(&format!("{topic}-0/00000000000000000000.log"), "segment", "batch");
    assert_eq!(batches.len(), 2);
    shown(&format!("{topic}-0/00000000000000000000.timeindex"), "timeindex", "entry");
    shown("meta.properties", "text", "line");
    // Of a directory the names still tell what its files are.
    let (lines, _) = dump(&directory.path().join("__cluster_metadata-0"), &["--kind", "segment"]);
    assert!(of_kind(&lines, "record").is_empty() && !of_kind(&lines, "line").is_empty(), "{lines:?}");
}
