//! A broker on disks that fail, and on disks that are full.
#![allow(
    clippy::disallowed_methods,
    reason = "a test speaks to the broker over sockets of its own, and looks at files"
)]

#[path = "home/broker.rs"]
mod home;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use home::{Home, LIMIT, ask, create_topics, produce as produce_to};
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, FindCoordinatorRequest,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, MetadataRequest,
};
use protocol::{ErrorCode, Str};
use storage::fs::Operation;
use storage::fs::faults::Fault;

const TOPIC: &str = "disk";
/// The first segment of each partition of the topic.
const SEGMENTS: [&str; 2] = ["disk-0/00000000000000000000.log", "disk-1/00000000000000000000.log"];
const DIRS: &[&str] = &["first", "second"];

/// The partition in the second directory, which has no metadata log, and the other partition.
fn second_and_first(home: &Home) -> (i32, i32) {
    let has = |index: i32| home.dir("second").join(format!("{TOPIC}-{index}")).is_dir();
    assert_ne!(has(0), has(1), "each directory has one");
    if has(0) { (0, 1) } else { (1, 0) }
}

fn create_topic(address: SocketAddr) {
    create_topics(address, &[TOPIC], 2);
}

fn produce(address: SocketAddr, index: i32) -> (ErrorCode, i64) {
    produce_to(address, TOPIC, index)
}

/// The error of a fetch, and the number of batches in it.
fn fetch(address: SocketAddr, partition: i32) -> (ErrorCode, usize) {
    let partition = FetchPartition { partition, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic =
        FetchTopic { topic: Str::from_static(TOPIC), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest { max_wait_ms: 1, min_bytes: 1, topics: vec![topic], ..Default::default() };
    let response = ask(address, &request, 11);
    let partition = &response.responses[0].partitions[0];
    let records = partition.records.as_bytes().map_or(&[][..], |bytes| &bytes[..]);
    (partition.error_code, record::batches(records).count())
}

fn in_dir(done: &[(Operation, PathBuf)], operation: Operation, dir: &Path) -> usize {
    done.iter().filter(|(done, path)| *done == operation && path.starts_with(dir)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_s5_a_failed_sync_takes_its_directory_offline_and_is_never_retried() {
    let home = Home::new("failed-sync", DIRS);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let home = tokio::task::spawn_blocking(move || {
        create_topic(address);
        let (failing, other) = second_and_first(&home);
        assert_eq!(produce(address, failing), (ErrorCode::NONE, 0));
        assert_eq!(produce(address, other), (ErrorCode::NONE, 0));
        home.faults.take_done();
        home.faults.add(Fault {
            operation: Operation::Sync,
            path_end: SEGMENTS[usize::try_from(failing).unwrap()],
            after: 0,
            times: 1,
            error: ErrorKind::Other,
        });
        assert_eq!(
            produce(address, failing).0,
            ErrorCode::KAFKA_STORAGE_ERROR,
            "what is not durable is refused"
        );
        // The disk works again, but which data it lost is unknown.
        let deadline = Instant::now() + LIMIT;
        while fetch(address, failing).0 != ErrorCode::KAFKA_STORAGE_ERROR {
            assert!(Instant::now() < deadline, "the partition is still served");
        }
        for _ in 0..5 {
            assert_eq!(produce(address, failing).0, ErrorCode::KAFKA_STORAGE_ERROR);
        }
        for offset in 1..5 {
            assert_eq!(produce(address, other), (ErrorCode::NONE, offset), "the other directory serves");
        }
        assert_eq!(fetch(address, other).0, ErrorCode::NONE);
        home
    });
    let home = home.await.unwrap();
    running.shutdown().await;
    let done = home.faults.take_done();
    let second = home.dir("second");
    assert_eq!(
        in_dir(&done, Operation::Sync, &second),
        1,
        "nothing is synced there after the one that failed"
    );
    assert_eq!(in_dir(&done, Operation::SyncDir, &second), 0);
    assert!(!second.join(".kafka_cleanshutdown").exists(), "the next start is one after a crash");

    let running = home.start().await;
    let address = running.local_addresses()[0];
    let answers = tokio::task::spawn_blocking(move || {
        let (failing, other) = second_and_first(&home);
        let answers = (fetch(address, failing), fetch(address, other), produce(address, failing).0);
        (home, answers)
    });
    let (_home, (failed, other, produced)) = answers.await.unwrap();
    assert_eq!((failed.0, other, produced), (ErrorCode::NONE, (ErrorCode::NONE, 5), ErrorCode::NONE));
    assert!(failed.1 >= 1, "what was acknowledged is there after a restart");
    running.shutdown().await;
}

/// The error of IncrementalAlterConfigs, a request without a timeout.
fn alter(address: SocketAddr, retention_ms: &str) -> ErrorCode {
    let config = AlterableConfig {
        name: Str::from_static("retention.ms"),
        value: Some(retention_ms.into()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: Str::from_static(TOPIC),
        configs: vec![config],
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    ask(address, &request, 1).responses[0].error_code
}

/// Every request that needs a decision ends while the metadata log finds no space, though the disk claims to
/// have some: the one that is being written by its timeout, those behind it at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_waits_for_the_metadata_log_for_ever() {
    let home = Home::new("metadata-full", DIRS);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let ended = tokio::task::spawn_blocking(move || {
        create_topic(address);
        assert_eq!(alter(address, "1000"), ErrorCode::NONE);
        home.faults.add(Fault {
            operation: Operation::Write,
            path_end: "__cluster_metadata-0/00000000000000000000.log",
            after: 0,
            times: u32::MAX,
            error: ErrorKind::StorageFull,
        });
        assert_eq!(alter(address, "2000"), ErrorCode::REQUEST_TIMED_OUT);
        let full = ErrorCode::KAFKA_STORAGE_ERROR;
        assert_eq!(alter(address, "3000"), full);
        let topic = CreatableTopic {
            name: Str::from_static("later"),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let create = CreateTopicsRequest { topics: vec![topic], timeout_ms: 9_000, ..Default::default() };
        assert_eq!(ask(address, &create, 7).topics[0].error_code, full);
        let topics = vec![DeleteTopicState { name: Some(Str::from_static(TOPIC)), ..Default::default() }];
        let delete = DeleteTopicsRequest { topics, timeout_ms: 9_000, ..Default::default() };
        assert_eq!(ask(address, &delete, 6).responses[0].error_code, full);
        // A request that changes nothing still waits behind the change that is being written.
        let look = CreateTopicsRequest { validate_only: true, ..create };
        assert_eq!(ask(address, &look, 7).topics[0].error_code, full);
        let name = Str::from_static(TOPIC);
        let topic = CreatePartitionsTopic { name, count: 3, assignments: None };
        let grow = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 9_000, ..Default::default() };
        assert_eq!(ask(address, &grow, 3).results[0].error_code, full);
        let wanted = MetadataRequestTopic { name: Some(Str::from_static("on-demand")), ..Default::default() };
        let metadata = MetadataRequest {
            topics: Some(vec![wanted]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        assert_eq!(ask(address, &metadata, 9).topics[0].error_code, full);
        let find = FindCoordinatorRequest { key: Str::from_static("group"), ..Default::default() };
        assert_eq!(ask(address, &find, 3).error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
        let identity = InitProducerIdRequest {
            transactional_id: None,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        assert_eq!(ask(address, &identity, 4).error_code, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        // A request that needs no decision is answered as usual.
        assert_eq!(produce(address, 0).0, ErrorCode::NONE);

        home.faults.clear();
        let deadline = Instant::now() + LIMIT;
        while alter(address, "4000") != ErrorCode::NONE {
            assert!(Instant::now() < deadline, "the metadata log does not go on");
        }
        assert_eq!(ask(address, &identity, 4).error_code, ErrorCode::NONE);
        home
    });
    let _home = ended.await.unwrap();
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_finds_no_room_comes_when_there_is_some() {
    let home = Home::new("no-room", DIRS);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let home = tokio::task::spawn_blocking(move || {
        home.faults.add(Fault {
            operation: Operation::Open,
            path_end: SEGMENTS[1],
            after: 0,
            times: 1,
            error: ErrorKind::StorageFull,
        });
        create_topic(address);
        assert_eq!(produce(address, 0).0, ErrorCode::NONE);
        assert_eq!(produce(address, 1).0, ErrorCode::KAFKA_STORAGE_ERROR);
        let deadline = Instant::now() + LIMIT;
        while produce(address, 1).0 != ErrorCode::NONE {
            assert!(Instant::now() < deadline, "the partition does not come");
        }
        home
    });
    let _home = home.await.unwrap();
    running.shutdown().await;
}
