//! Logs that are missing or misplaced: nothing is created in their place silently.

use std::path::{Path, PathBuf};

use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::{
    ElectLeadersRequest, FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use protocol::{ErrorCode, Str};

use crate::check::check;
use crate::harness::broker::Broker;
use crate::harness::clients::{LIMIT, admin, admin_options, block_on, try_create_topic, watermarks};
use crate::harness::directory::Directory;
use crate::harness::raw::{Raw, batch, fetch_request};
use crate::harness::wait_until;
use crate::migrate::copy;

const TOPIC: &str = "lost";
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// A data directory with three records in partition 0 of a topic, all of them durable.
struct LogDirectory {
    data: PathBuf,
    _directory: Directory,
}

impl LogDirectory {
    fn left_behind(crash: bool) -> LogDirectory {
        let directory = Directory::new();
        let data = directory.path().join("data");
        let mut broker = Broker::on(&data, &[]).expect("it starts");
        for topic in [TOPIC, "beside"] {
            try_create_topic(broker.bootstrap(), topic, 1, &[]).expect("created");
        }
        let mut raw = Raw::open(broker.bootstrap());
        for topic in [TOPIC, "beside"] {
            raw.append(topic, batch(&[b"a", b"b", b"c"]));
        }
        // From then on the directory would be missed.
        let points = data.join("recovery-point-offset-checkpoint");
        let is_told = || {
            let text = std::fs::read_to_string(&points).unwrap_or_default();
            [TOPIC, "beside"].iter().all(|topic| text.contains(&format!("{topic} 0 3\n")))
        };
        if crash {
            wait_until("a checkpoint tells of the records", LIMIT, is_told);
        }
        broker.end(crash);
        LogDirectory { data, _directory: directory }
    }

    fn partition(&self) -> PathBuf {
        self.data.join(format!("{TOPIC}-0"))
    }

    fn start(&self) -> Broker {
        Broker::on(&self.data, &[]).expect("it starts")
    }

    /// The damage that a check finds: the files.
    fn damaged(&self) -> Vec<PathBuf> {
        let (lines, status) = check(&self.data);
        let damaged = lines.iter().filter(|line| line["kind"] == "damage");
        let damaged: Vec<PathBuf> =
            damaged.map(|line| line["file"].as_str().expect("a path").into()).collect();
        assert_eq!(status, i32::from(!damaged.is_empty()), "{lines:?}");
        damaged
    }

    /// Starts a broker for which the partition is offline, and the topic beside it is not.
    fn start_offline(&self, told: &[&str]) -> Broker {
        let broker = self.start();
        let mut raw = Raw::open(broker.bootstrap());
        let answer = raw.produce(TOPIC, batch(&[b"d"]));
        assert_eq!(answer.error_code, ErrorCode::KAFKA_STORAGE_ERROR);
        assert_eq!(raw.fetch_one(&fetch_request(TOPIC, 0, 0)).error_code, ErrorCode::KAFKA_STORAGE_ERROR);
        assert_eq!(raw.topic(TOPIC).partitions[0].leader_id, -1);
        assert_eq!(watermarks(broker.bootstrap(), "beside", 0), (0, 3));
        let log = broker.log();
        assert!(told.iter().all(|what| log.contains(what)), "{log}");
        broker
    }
}

fn elect(broker: &Broker, election_type: i8) -> ErrorCode {
    elect_for(broker, TOPIC, election_type)
}

fn elect_for(broker: &Broker, topic: &str, election_type: i8) -> ErrorCode {
    let asked = vec![TopicPartitions { topic: topic.into(), partitions: vec![0] }];
    let request = ElectLeadersRequest { election_type, topic_partitions: Some(asked), timeout_ms: 20_000 };
    let response = Raw::open(broker.bootstrap()).ask(&request, 2);
    assert_eq!(response.error_code, ErrorCode::NONE);
    response.replica_election_results[0].partition_result[0].error_code
}

/// Accepts that the records are lost: the partition starts afresh, for good.
fn give_up(left: &LogDirectory, mut broker: Broker) {
    assert_eq!(elect(&broker, PREFERRED), ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
    assert_eq!(elect(&broker, UNCLEAN), ErrorCode::NONE);
    assert!(broker.log().contains("its records are given up"), "{}", broker.log());
    assert_eq!(elect(&broker, UNCLEAN), ErrorCode::ELECTION_NOT_NEEDED);
    assert_eq!(Raw::open(broker.bootstrap()).append(TOPIC, batch(&[b"d"])), 0);
    broker.stop();
    assert_eq!(left.damaged(), Vec::<PathBuf>::new());
    let mut broker = left.start();
    assert_eq!(watermarks(broker.bootstrap(), TOPIC, 0), (0, 1));
    broker.stop();
}

#[test]
fn a_partition_whose_directory_is_missing_is_offline_until_the_loss_is_accepted() {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        return;
    }
    for crash in [false, true] {
        let left = LogDirectory::left_behind(crash);
        let aside = left.data.with_extension("aside");
        std::fs::rename(left.partition(), &aside).expect("moved");
        assert_eq!(left.damaged(), [left.partition()], "crash: {crash}");
        let told = ["had records from offset 0 up to 3", "lost-0 is missing", "--election-type unclean"];
        // Again and again, whether or not the checkpoints were written in between.
        for crash in [false, true, false] {
            left.start_offline(&told).end(crash);
        }
        assert_eq!(left.damaged(), [left.partition()], "crash: {crash}");
        copy(&aside, &left.partition());
        assert_eq!(left.damaged(), Vec::<PathBuf>::new());
        let mut broker = left.start();
        assert_eq!(watermarks(broker.bootstrap(), TOPIC, 0), (0, 3));
        broker.stop();
        std::fs::remove_dir_all(left.partition()).expect("removed");
        give_up(&left, left.start_offline(&told));
    }
}

#[test]
fn a_directory_with_another_topics_id_is_offline_until_the_loss_is_accepted() {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        return;
    }
    for crash in [false, true] {
        let left = LogDirectory::left_behind(crash);
        let metadata = left.partition().join("partition.metadata");
        let right = std::fs::read(&metadata).expect("a file");
        // One that nobody has, and that of the topic beside it.
        let unknown = b"version: 0\ntopic_id: ZZZZZZZZZZZZZZZZZZZZZA".to_vec();
        let beside = std::fs::read(left.data.join("beside-0/partition.metadata")).expect("a file");
        for wrong in [unknown, beside] {
            std::fs::write(&metadata, wrong).expect("written");
            assert_eq!(left.damaged(), std::slice::from_ref(&metadata));
            left.start_offline(&["lost-0/partition.metadata has the topic id"]).end(crash);
        }
        std::fs::write(&metadata, right).expect("written");
        let mut broker = left.start();
        assert_eq!(watermarks(broker.bootstrap(), TOPIC, 0), (0, 3));
        broker.stop();
        std::fs::write(&metadata, b"version: 0\ntopic_id: ZZZZZZZZZZZZZZZZZZZZZA").expect("written");
        give_up(&left, left.start_offline(&[]));
        let entries = std::fs::read_dir(&left.data).expect("a directory");
        let is_stray = |name: String| name.starts_with("lost-0.") && name.ends_with("-stray");
        let mut names =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        assert!(names.any(is_stray), "nothing was deleted");
    }
}

const GROUP: &str = "a-group";
const OFFSETS: &str = "__consumer_offsets";

fn commit(raw: &mut Raw) -> ErrorCode {
    let partition =
        OffsetCommitRequestPartition { partition_index: 0, committed_offset: 2, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    raw.ask(&request, 8).topics[0].partitions[0].error_code
}

/// All offsets of the group: the error, and the first.
fn committed(raw: &mut Raw) -> (ErrorCode, Option<i64>) {
    let request =
        OffsetFetchRequest { group_id: Str::from(GROUP), topics: None, ..OffsetFetchRequest::default() };
    let answer = raw.ask(&request, 7);
    (answer.error_code, answer.topics.first().map(|topic| topic.partitions[0].committed_offset))
}

/// A group without its offsets would begin again: it must not be told that it has none.
#[test]
fn groups_whose_partition_is_missing_have_no_coordinator_until_the_loss_is_accepted() {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        return;
    }
    let directory = Directory::new();
    let data = directory.path().join("data");
    let partition = data.join(format!("{OFFSETS}-0"));
    let settings = [("offsets.topic.num.partitions", "1")];
    let start = || Broker::on(&data, &settings).expect("it starts");
    let mut broker = start();
    try_create_topic(broker.bootstrap(), TOPIC, 1, &[]).expect("created");
    let mut raw = Raw::open(broker.bootstrap());
    raw.await_coordinator(GROUP);
    assert_eq!(commit(&mut raw), ErrorCode::NONE);
    broker.stop();
    std::fs::remove_dir_all(&partition).expect("removed");
    let (lines, status) = check(&data);
    assert!(status == 1 && lines[0]["file"] == partition.display().to_string(), "{lines:?}");
    for crash in [false, true] {
        let mut broker = start();
        assert!(broker.log().contains("__consumer_offsets-0 is missing"), "{}", broker.log());
        let mut raw = Raw::open(broker.bootstrap());
        let find = FindCoordinatorRequest { key: Str::from(GROUP), ..Default::default() };
        assert_eq!(raw.ask(&find, 2).error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
        let (error, offset) = committed(&mut raw);
        assert!(error.is_retriable() && offset.is_none(), "{error:?}");
        assert!(commit(&mut raw).is_retriable());
        broker.end(crash);
    }
    let mut broker = start();
    assert_eq!(elect_for(&broker, OFFSETS, UNCLEAN), ErrorCode::NONE);
    let mut raw = Raw::open(broker.bootstrap());
    raw.await_coordinator(GROUP);
    assert_eq!(committed(&mut raw), (ErrorCode::NONE, None));
    assert_eq!(commit(&mut raw), ErrorCode::NONE);
    broker.kill();
    let broker = start();
    let mut raw = Raw::open(broker.bootstrap());
    raw.await_coordinator(GROUP);
    assert_eq!(committed(&mut raw), (ErrorCode::NONE, Some(2)));
}

/// A partition of the same name that is made later never had the records, and is not missed.
#[test]
fn a_topic_that_is_deleted_is_not_missed() {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        return;
    }
    let delete = |broker: &Broker| {
        let deleted = block_on(admin(broker.bootstrap()).delete_topics(&[TOPIC], &admin_options()));
        deleted.expect("an answer").remove(0).expect("deleted");
    };
    for missing in [false, true] {
        let left = LogDirectory::left_behind(false);
        if missing {
            std::fs::remove_dir_all(left.partition()).expect("removed");
        }
        let mut broker = left.start();
        delete(&broker);
        try_create_topic(broker.bootstrap(), TOPIC, 1, &[]).expect("created");
        broker.kill();
        // As a crash before the directory was made.
        let _ = std::fs::remove_dir_all(left.partition());
        assert_eq!(left.damaged(), Vec::<PathBuf>::new());
        let mut broker = left.start();
        assert_eq!(watermarks(broker.bootstrap(), TOPIC, 0), (0, 0), "missing: {missing}");
        broker.stop();
    }
}

#[test]
fn a_segment_that_is_missing_in_the_middle_is_told() {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        return;
    }
    let directory = Directory::new();
    let mut broker = Broker::on(directory.path(), &[]).expect("it starts");
    try_create_topic(broker.bootstrap(), TOPIC, 1, &[("segment.bytes", "1048576")]).expect("created");
    let mut raw = Raw::open(broker.bootstrap());
    for _ in 0..5 {
        raw.append(TOPIC, batch(&[&[b'v'; 700_000]]));
    }
    broker.stop();
    let path = |offset: i64, suffix: &str| -> PathBuf {
        let name = format!("{TOPIC}-0/{offset:020}.{suffix}");
        Path::new(directory.path()).join(name)
    };
    assert!((0..5).all(|offset| path(offset, "log").exists()));
    for suffix in ["log", "index", "timeindex", "snapshot"] {
        std::fs::remove_file(path(2, suffix)).expect("removed");
    }
    let (lines, status) = check(directory.path());
    let told = path(3, "log").display().to_string();
    assert!(status == 1 && lines.len() == 1 && lines[0]["file"] == told.as_str(), "{lines:?}");
    assert!(lines[0]["what"].as_str().is_some_and(|what| what.contains("from there up to 3")), "{lines:?}");
    for crash in [false, true] {
        let mut broker = Broker::on(directory.path(), &[]).expect("it starts");
        wait_until("the gap is told", LIMIT, || broker.log().contains("the next begins at 3"));
        assert!(broker.log().contains("ends before offset 2"), "{}", broker.log());
        broker.end(crash);
    }
}
