//! Damage that comes about while the broker runs: found, told once, shown, and gone with what it was in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use protocol::messages::IncrementalAlterConfigsRequest;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::harness::broker::{Broker, free_port};
use crate::harness::clients::{LIMIT, Producer, admin, admin_options, block_on, create_topic};
use crate::harness::raw::Raw;
use crate::harness::wait_until;
use crate::metrics::scrape;

fn log_status(broker: &Broker, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.args(["log", "status", "--bootstrap-server", broker.bootstrap()]).args(words);
    command.env_remove("MILENA_LOG").output().expect("the product's binary runs")
}

/// The status of a topic's first partition, and the exit status.
fn status(broker: &Broker, topic: &str) -> (Value, i32) {
    let output = log_status(broker, &[topic, "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(value["totals"]["partitions"], 1, "{value}");
    let partition = value["directories"][0]["partitions"][0].clone();
    assert_eq!((&partition["topic"], &partition["partition"]), (&topic.into(), &0.into()));
    assert_eq!(value["totals"]["damagedPlaces"], partition["damage"].as_array().expect("a list").len());
    (partition, output.status.code().expect("it ended by itself"))
}

/// Waits until everything has been read that is there now.
fn await_rounds(address: &str, rounds: u32) {
    let until = scrape(address)["milena_scrub_rounds_total"] + f64::from(rounds);
    wait_until("a scrub of all", LIMIT, || scrape(address)["milena_scrub_rounds_total"] >= until);
}

fn segments(broker: &Broker, topic: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(broker.data().join(format!("{topic}-0"))).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut logs: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    logs.sort();
    logs
}

fn flip(path: &Path, at: usize) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).expect("read");
    file.write_all_at(&[byte[0] ^ 4], at as u64).expect("written");
}

/// A broker that scrubs all the time, and the address of its metrics.
fn eager() -> Option<(Broker, String)> {
    let address = format!("127.0.0.1:{}", free_port());
    let settings = [
        ("console.listener", address.as_str()),
        ("log.scrub.interval.ms", "50"),
        ("log.scrub.io.max.bytes.per.second", "1000000000"),
        ("log.segment.delete.delay.ms", "0"),
    ];
    let broker = Broker::own(&settings)?;
    Some((broker, address))
}

fn fill(broker: &Broker, what: &str) -> String {
    let topic = create_topic(broker.bootstrap(), what, 1, &[("segment.bytes", "1048576")]);
    let producer = Producer::new(broker.bootstrap(), &[("batch.size", "16384")]);
    (0..400).for_each(|id| producer.send(&topic, 0, id, 10_000));
    producer.acknowledged();
    assert!(segments(broker, &topic).len() >= 4);
    topic
}

#[test]
fn a_flipped_bit_in_a_closed_segment_is_found_and_only_it() {
    let Some((broker, address)) = eager() else { return };
    let (topic, sound) = (fill(&broker, "flipped"), fill(&broker, "sound"));
    await_rounds(&address, 2);
    let (partition, code) = status(&broker, &topic);
    assert_eq!((partition["damage"].clone(), code), (Value::Array(Vec::new()), 0));
    assert!(partition["scrubTimestamp"].as_i64().is_some_and(|ms| ms > 0), "{partition}");
    assert!(partition["scrubbedBytes"].as_i64().is_some_and(|bytes| bytes > 3_000_000), "{partition}");
    assert_eq!((&partition["startOffset"], &partition["endOffset"]), (&0.into(), &400.into()));
    let read = scrape(&address)["milena_scrub_read_bytes_total"];

    let damaged = segments(&broker, &topic)[1].clone();
    let at = usize::try_from(std::fs::metadata(&damaged).expect("a file").len()).expect("small") / 2;
    // Not in a header: the value of a record.
    let at = at / 10_000 * 10_000 + 5_000;
    assert!(at > 400_000, "segments are full: {at}");
    flip(&damaged, at);
    // More than once over: it is told once.
    await_rounds(&address, 3);
    let (partition, code) = status(&broker, &topic);
    let damage = partition["damage"].as_array().expect("a list");
    assert_eq!((damage.len(), code), (1, 1), "{partition}");
    assert_eq!(damage[0]["file"], damaged.to_string_lossy().as_ref());
    let position = damage[0]["position"].as_u64().expect("a number");
    assert!((at - 16_384..=at).contains(&(position as usize)), "that of the batch: {position}");
    assert!(damage[0]["what"].as_str().is_some_and(|what| what.contains("checksum")), "{damage:?}");
    let told = format!("{} is damaged at byte {position}: ", damaged.display());
    assert_eq!(broker.log().matches(" is damaged at byte ").count(), 1, "{}", broker.log());
    assert!(broker.log().contains(&told), "{}", broker.log());
    assert_eq!(status(&broker, &sound).1, 0, "the other topic is sound");
    let shown = String::from_utf8_lossy(&log_status(&broker, &[]).stdout).into_owned();
    assert!(shown.contains("1 damaged place") && shown.contains(&*damaged.to_string_lossy()), "{shown}");
    let metrics = scrape(&address);
    let by_dir = |name: &str| metrics[&format!("{name}{{dir=\"{}\"}}", broker.data().display())];
    assert_eq!(by_dir("milena_scrub_damaged_segments"), 1.0);
    assert_eq!(by_dir("milena_scrub_damaged_places"), 1.0);
    assert!(metrics["milena_scrub_read_bytes_total"] > read);

    // With the segment the damage goes.
    let mut records = TopicPartitionList::new();
    records.add_partition_offset(&topic, 0, Offset::Offset(400)).expect("listed");
    block_on(admin(broker.bootstrap()).delete_records(&records, &admin_options())).expect("deleted");
    let (partition, code) = status(&broker, &topic);
    assert_eq!((partition["damage"].clone(), code), (Value::Array(Vec::new()), 0), "{partition}");
    await_rounds(&address, 2);
    assert_eq!(status(&broker, &topic).1, 0);
    assert_eq!(broker.log().matches(" is damaged at byte ").count(), 1, "{}", broker.log());
}

#[test]
fn what_is_mended_is_damaged_no_more() {
    let Some((broker, address)) = eager() else { return };
    let topic = fill(&broker, "mended");
    let damaged = segments(&broker, &topic)[0].clone();
    flip(&damaged, 100_000);
    wait_until("the damage is found", LIMIT, || status(&broker, &topic).1 == 1);
    flip(&damaged, 100_000);
    wait_until("the mending is found", LIMIT, || status(&broker, &topic).1 == 0);
    await_rounds(&address, 2);
    assert_eq!(status(&broker, &topic).1, 0);
}

#[test]
fn turned_off_nothing_is_read_until_it_is_turned_on() {
    let address = format!("127.0.0.1:{}", free_port());
    let settings = [
        ("console.listener", address.as_str()),
        ("log.scrub.interval.ms", "1"),
        ("log.scrub.io.max.bytes.per.second", "0"),
    ];
    let Some(broker) = Broker::own(&settings) else { return };
    let topic = fill(&broker, "off");
    let (partition, _) = status(&broker, &topic);
    assert_eq!(partition["scrubTimestamp"], Value::Null);
    let metrics = scrape(&address);
    assert_eq!((metrics["milena_scrub_read_bytes_total"], metrics["milena_scrub_rounds_total"]), (0.0, 0.0));
    let resource = AlterConfigsResource {
        resource_type: 4,
        resource_name: "1".into(),
        configs: vec![AlterableConfig {
            name: "log.scrub.io.max.bytes.per.second".into(),
            config_operation: 0,
            value: Some("1000000000".into()),
        }],
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let changed = Raw::open(broker.bootstrap()).ask(&request, 1);
    assert!(!changed.responses[0].error_code.is_error(), "{changed:?}");
    wait_until("the first scrub", LIMIT, || status(&broker, &topic).0["scrubTimestamp"] != Value::Null);
}

#[test]
fn damage_of_the_metadata_log_is_found_and_what_is_mended_forgotten() {
    let Some((broker, address)) = eager() else { return };
    for name in ["a", "b", "c"] {
        create_topic(broker.bootstrap(), name, 1, &[]);
    }
    await_rounds(&address, 2);
    let places = || scrape(&address)["milena_scrub_damaged_metadata_places"];
    assert_eq!(places(), 0.0);
    let log = broker.data().join("__cluster_metadata-0/00000000000000000000.log");
    // In a record of the first batch, which nobody reads again while the broker runs.
    flip(&log, 70);
    wait_until("the damage is found", LIMIT, || places() >= 1.0);
    await_rounds(&address, 2);
    assert_eq!(broker.log().matches(" is damaged at byte ").count(), 1, "{}", broker.log());
    assert!(broker.log().contains(&format!("{} is damaged at byte ", log.display())), "{}", broker.log());
    let shown = log_status(&broker, &[]);
    let table = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(shown.status.code(), Some(1), "{table}");
    assert!(table.contains(&format!("damage: {} at byte ", log.display())), "{table}");
    assert_eq!(table.matches("__cluster_metadata-0 ").count(), 1, "{table}");
    flip(&log, 70);
    wait_until("the mending is found", LIMIT, || places() == 0.0);
    let shown = String::from_utf8_lossy(&log_status(&broker, &[]).stdout).into_owned();
    assert!(shown.contains("no damage known") && !shown.contains("__cluster_metadata"), "{shown}");
}
