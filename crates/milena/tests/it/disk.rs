//! A full disk: one that is full but for its reserve, and one without a byte left.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use crate::harness::broker::Broker;
use crate::harness::clients::{
    LIMIT, Producer, admin, admin_options, block_on, consumer, create_topic, ids, read_all,
};
use crate::harness::directory::Directory;
use crate::harness::wire::assert_serves;

const FULL: &str = "full except for its reserve";
const ROOM_AGAIN: &str = "has free space again";
const SETTINGS: [(&str, &str); 2] =
    [("offsets.topic.num.partitions", "1"), ("group.initial.rebalance.delay.ms", "0")];

/// A file system in memory of a fixed size, unmounted at the end.
struct Small {
    path: PathBuf,
    _directory: Directory,
}

impl Small {
    /// `None` if the system does not let us mount.
    fn mount(mib: usize) -> Option<Small> {
        let directory = Directory::new();
        let path = directory.path().join("small");
        std::fs::create_dir_all(&path).expect("a mount point");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(&path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!(
                "skipped: a disk can be full only where a small one may be mounted, by root with CAP_SYS_ADMIN"
            );
            return None;
        }
        Some(Small { path, _directory: directory })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Another program takes all that is left.
    fn use_up(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).expect("made");
        let block = [1; 4096];
        while ballast.write_all(&block).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("removed");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// A broker on the small disk, and what it has acknowledged.
struct DiskFiller {
    broker: Broker,
    topic: String,
    acknowledged: BTreeSet<usize>,
    sent: usize,
}

impl DiskFiller {
    /// Produces until it is refused.
    fn fill(&mut self) {
        let settings = [("retries", "0"), ("batch.num.messages", "50"), ("message.timeout.ms", "20000")];
        let producer = Producer::new(self.broker.bootstrap(), &settings);
        let mut refused = false;
        let before = self.acknowledged.len();
        while !refused {
            assert!(self.sent < 60_000, "a disk of 24 MiB does not hold so much");
            for _ in 0..1_000 {
                producer.send(&self.topic, 0, self.sent, 1_000);
                self.sent += 1;
            }
            for report in producer.reports() {
                match report.error {
                    None => drop(self.acknowledged.insert(report.id)),
                    Some(code) => {
                        assert_eq!(code, RDKafkaErrorCode::KafkaStorageError);
                        refused = true;
                    }
                }
            }
        }
        assert!(self.acknowledged.len() > before + 100, "something was taken");
    }

    /// The answer to one record more.
    fn produce_once(&mut self, settings: &[(&str, &str)]) -> Option<RDKafkaErrorCode> {
        let producer = Producer::new(self.broker.bootstrap(), settings);
        producer.send(&self.topic, 0, self.sent, 1_000);
        self.sent += 1;
        let report = producer.reports().pop().expect("a report");
        if report.error.is_none() {
            self.acknowledged.insert(report.id);
        }
        report.error
    }

    fn assert_refuses(&mut self) {
        assert_eq!(self.produce_once(&[("retries", "0")]), Some(RDKafkaErrorCode::KafkaStorageError));
    }

    /// A client that tries again, as clients do, is heard once there is room.
    fn assert_resumes(&mut self) {
        assert_eq!(self.produce_once(&[]), None);
    }

    fn assert_all_read(&self) {
        let there: BTreeSet<usize> =
            ids(&read_all(self.broker.bootstrap(), &self.topic, 0)).into_iter().collect();
        let lost = self.acknowledged.difference(&there).next();
        assert_eq!(lost, None, "acknowledged, and not read");
    }

    fn commit(&self, offset: i64) {
        let consumer = consumer(self.broker.bootstrap(), "small-disk", &[]);
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, 0, Offset::Offset(offset)).expect("an offset");
        consumer.commit(&offsets, CommitMode::Sync).expect("committed");
        self.assert_committed(offset);
    }

    fn assert_committed(&self, offset: i64) {
        let consumer = consumer(self.broker.bootstrap(), "small-disk", &[]);
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition(&self.topic, 0);
        let committed = consumer.committed_offsets(offsets, LIMIT).expect("an answer");
        assert_eq!(committed.elements()[0].offset(), Offset::Offset(offset));
    }

    /// The number of times that the log says something.
    fn said(&self, what: &str) -> usize {
        self.broker.log().matches(what).count()
    }

    /// Waits until the log has said something so often.
    fn await_said(&self, what: &str, times: usize) {
        let deadline = Instant::now() + LIMIT;
        while self.said(what) < times {
            assert!(Instant::now() < deadline, "not said: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(small: &Small) -> DiskFiller {
    let broker = Broker::on(&small.path().join("data"), &SETTINGS).expect("started");
    let settings = [("segment.bytes", "1048576")];
    let topic = create_topic(broker.bootstrap(), "full", 1, &settings);
    DiskFiller { broker, topic, acknowledged: BTreeSet::new(), sent: 0 }
}

fn small() -> Option<Small> {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        eprintln!("skipped: needs a broker of its own");
        return None;
    }
    Small::mount(24)
}

#[test]
fn a_disk_that_is_full_but_for_its_reserve_refuses_to_produce_and_nothing_else() {
    let Some(small) = small() else { return };
    let mut filled = start(&small);
    filled.fill();
    filled.assert_refuses();
    assert_serves(filled.broker.bootstrap());
    filled.assert_all_read();
    for offset in 1..50 {
        filled.commit(offset);
    }
    let other = create_topic(filled.broker.bootstrap(), "other", 1, &[]);
    assert_eq!(filled.said(FULL), 1, "said once, and not with each request: {}", filled.broker.log());

    // Started again on the full disk, cleanly and after a crash, it goes on as before.
    for crash in [false, true] {
        filled.broker.end(crash);
        filled.broker.restart();
        filled.assert_all_read();
        filled.assert_committed(49);
        filled.assert_refuses();
        filled.commit(49);
    }

    // Deleting records makes room, and who waits is heard.
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&filled.topic, 0, Offset::Offset(10_000)).expect("an offset");
    assert_eq!(filled.said(ROOM_AGAIN), 0);
    block_on(admin(filled.broker.bootstrap()).delete_records(&list, &admin_options())).expect("an answer");
    filled.assert_resumes();
    assert_eq!(filled.said(ROOM_AGAIN), 1, "{}", filled.broker.log());
    let deleted = ids(&read_all(filled.broker.bootstrap(), &filled.topic, 0));
    assert_eq!(deleted.last(), filled.acknowledged.last());

    // So does deleting a topic.
    filled.acknowledged = deleted.into_iter().collect();
    filled.fill();
    let full = std::mem::replace(&mut filled.topic, other);
    filled.assert_refuses();
    let deleted = block_on(admin(filled.broker.bootstrap()).delete_topics(&[&full], &admin_options()));
    assert_eq!(deleted.expect("an answer"), [Ok(full)]);
    filled.assert_resumes();
    filled.broker.assert_healthy();
}

#[test]
fn a_disk_without_a_byte_left_loses_nothing_and_a_start_says_what_it_needs() {
    let Some(small) = small() else { return };
    let mut filled = start(&small);
    filled.commit(1);
    for _ in 0..20 {
        assert_eq!(filled.produce_once(&[]), None);
    }
    small.use_up();
    filled.await_said(FULL, 1);
    filled.assert_refuses();
    filled.assert_all_read();
    filled.assert_committed(1);
    small.make_room();
    filled.assert_resumes();
    filled.commit(2);
    create_topic(filled.broker.bootstrap(), "later", 1, &[]);
    filled.broker.assert_healthy();

    small.use_up();
    filled.broker.kill();
    let refusal = Broker::on(&small.path().join("data"), &SETTINGS).err().expect("it does not start");
    assert!(!refusal.status.success());
    assert!(
        refusal.output.contains("is full") && refusal.output.contains("Free some space"),
        "{}",
        refusal.output
    );
    small.make_room();
    filled.broker.restart();
    filled.assert_all_read();
    filled.assert_committed(2);
    filled.assert_resumes();
}

#[test]
fn without_a_reserve_the_disk_is_filled_to_its_end_and_nothing_acknowledged_is_lost() {
    let Some(small) = small() else { return };
    let settings = [("log.dir.reserved.bytes", "0"), SETTINGS[0]];
    let broker = Broker::on(&small.path().join("data"), &settings).expect("started");
    let topic = create_topic(broker.bootstrap(), "full", 1, &[]);
    let mut filled = DiskFiller { broker, topic, acknowledged: BTreeSet::new(), sent: 0 };
    // What is taken away later, to make room.
    std::fs::write(small.ballast(), vec![1; 8 << 20]).expect("written");
    filled.fill();
    filled.assert_all_read();
    filled.broker.kill();
    small.make_room();
    filled.broker.restart();
    filled.assert_all_read();
    filled.assert_resumes();
}
