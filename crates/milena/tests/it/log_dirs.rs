//! Several log directories: the placement of partitions, and directories that are missing or fail.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use crate::harness::broker::Broker;
use crate::harness::clients::{Producer, consumer, create_topic, ids, read_all};
use crate::harness::directory::Directory;

const LIMIT: Duration = Duration::from_secs(20);
const PARTITIONS: i32 = 4;

/// A broker with two log directories.
struct Two {
    broker: Broker,
    first: PathBuf,
    second: PathBuf,
    _directory: Directory,
}

impl Two {
    fn start() -> Option<Two> {
        if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
            eprintln!("skipped: needs a broker of its own");
            return None;
        }
        let directory = Directory::new();
        let (first, second) = (directory.path().join("first"), directory.path().join("second"));
        let broker = Broker::on(&first, &settings(&first, &second).each_ref().map(|(a, b)| (*a, &**b)));
        Some(Two { broker: broker.expect("started"), first, second, _directory: directory })
    }

    /// A topic whose partitions are spread over both, with one record in each; the partitions in the second.
    fn fill(&self) -> (String, Vec<i32>) {
        let topic = create_topic(self.broker.bootstrap(), "dirs", PARTITIONS, &[]);
        let producer = Producer::new(self.broker.bootstrap(), &[]);
        (0..PARTITIONS).for_each(|partition| producer.send(&topic, partition, 7, 100));
        producer.acknowledged();
        let in_second = (0..PARTITIONS).filter(|partition| has(&self.second, &topic, *partition));
        let in_second: Vec<i32> = in_second.collect();
        assert_eq!(in_second.len(), 2, "each directory has as many");
        for partition in 0..PARTITIONS {
            assert_ne!(has(&self.first, &topic, partition), has(&self.second, &topic, partition));
        }
        (topic, in_second)
    }

    /// Waits until clients are told that the partitions have no leader, and no others.
    fn await_offline(&self, topic: &str, offline: &[i32]) {
        let client = consumer(self.broker.bootstrap(), "unused", &[]);
        let deadline = Instant::now() + LIMIT;
        loop {
            let metadata = client.fetch_metadata(Some(topic), LIMIT).expect("metadata");
            let partitions = metadata.topics()[0].partitions();
            let without: Vec<i32> = partitions
                .iter()
                .filter(|it| it.leader() == -1)
                .map(rdkafka::metadata::MetadataPartition::id)
                .collect();
            if without == offline {
                return;
            }
            assert!(Instant::now() < deadline, "{without:?} are offline, not {offline:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Produces to each partition: those that are offline say so, the others take it.
    fn assert_only_offline(&self, topic: &str, offline: &[i32]) {
        let settings = [("message.timeout.ms", "1500"), ("topic.metadata.refresh.interval.ms", "100")];
        let producer = Producer::new(self.broker.bootstrap(), &settings);
        for partition in 0..PARTITIONS {
            producer.send(topic, partition, usize::try_from(partition).expect("not negative"), 100);
        }
        for report in producer.reports() {
            let expected = offline.contains(&report.partition);
            assert_eq!(report.error.is_some(), expected, "{report:?}");
            if let Some(code) = report.error {
                let told = matches!(
                    code,
                    RDKafkaErrorCode::KafkaStorageError
                        | RDKafkaErrorCode::MessageTimedOut
                        | RDKafkaErrorCode::LeaderNotAvailable
                );
                assert!(told, "{code}");
            }
        }
    }
}

fn settings(first: &Path, second: &Path) -> [(&'static str, String); 2] {
    [
        ("log.dirs", format!("{},{}", first.display(), second.display())),
        // What cannot be written is noticed soon.
        ("log.flush.offset.checkpoint.interval.ms", "100".to_owned()),
    ]
}

fn has(dir: &Path, topic: &str, partition: i32) -> bool {
    dir.join(format!("{topic}-{partition}")).is_dir()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn a_directory_that_is_missing_at_a_start_is_offline_until_it_is_back() {
    let Some(mut two) = Two::start() else { return };
    let (topic, in_second) = two.fill();
    two.broker.stop();
    let away = two.second.with_extension("away");
    std::fs::rename(&two.second, &away).expect("moved");
    // Nothing can be made there.
    std::fs::write(&two.second, b"no directory").expect("written");
    two.broker.restart();
    two.await_offline(&topic, &in_second);
    two.assert_only_offline(&topic, &in_second);
    two.broker.stop();

    std::fs::remove_file(&two.second).expect("removed");
    std::fs::rename(&away, &two.second).expect("moved back");
    two.broker.restart();
    two.await_offline(&topic, &[]);
    for partition in 0..PARTITIONS {
        let there = ids(&read_all(two.broker.bootstrap(), &topic, partition));
        assert_eq!(there[0], 7, "partition {partition} has what it had");
    }
}

#[test]
fn a_directory_that_fails_takes_its_partitions_alone_and_the_last_one_the_broker() {
    let Some(mut two) = Two::start() else { return };
    let (topic, in_second) = two.fill();
    // In one step, as a volume goes.
    std::fs::rename(&two.second, two.second.with_extension("gone")).expect("moved");
    two.await_offline(&topic, &in_second);
    two.assert_only_offline(&topic, &in_second);
    assert!(two.broker.log().contains("log directory taken offline"));

    std::fs::rename(&two.first, two.first.with_extension("gone")).expect("moved");
    let status = two.broker.await_end();
    assert!(!status.success(), "{status}");
    assert!(two.broker.log().contains("which has the metadata log, has failed"), "{}", two.broker.log());
}

#[test]
fn directories_that_do_not_belong_together_are_refused() {
    let Some(mut two) = Two::start() else { return };
    let (topic, in_second) = two.fill();
    two.broker.stop();
    let refused = |first: &Path, second: &Path, expected: &str| {
        let given = settings(first, second);
        let refusal = Broker::on(first, &given.each_ref().map(|(a, b)| (*a, &**b))).err();
        let output = refusal.expect("it does not start").output;
        assert!(output.contains(expected), "{output}");
    };
    refused(&two.second, &two.first, "Set metadata.log.dir");
    let name = format!("{topic}-{}", in_second[0]);
    copy(&two.second.join(&name), &two.first.join(&name));
    // As after a crash while it was moved: the metadata knows it in the second.
    two.broker.restart();
    assert!(!has(&two.first, &topic, in_second[0]) && has(&two.second, &topic, in_second[0]));
    assert_eq!(ids(&read_all(two.broker.bootstrap(), &topic, in_second[0])), [7]);
    two.broker.stop();
    let twin = two.second.with_extension("twin");
    std::fs::create_dir_all(&twin).expect("made");
    std::fs::copy(two.first.join("meta.properties"), twin.join("meta.properties")).expect("copied");
    refused(&two.first, &twin, "one is a copy of the other");
    two.broker.restart();
    assert_eq!(ids(&read_all(two.broker.bootstrap(), &topic, in_second[0])), [7]);
}
