//! The listener for controllers.

use metadata::quorum::METADATA_TOPIC_ID;
use protocol::messages::broker_registration_request::{BrokerRegistrationRequest, Feature};
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use protocol::messages::{
    ApiVersionsRequest, BrokerHeartbeatRequest, CreateTopicsRequest, DescribeClusterRequest,
    DescribeQuorumRequest, FetchSnapshotRequest, MetadataRequest, ProduceRequest, describe_quorum_request,
    fetch_snapshot_request,
};
use protocol::{ApiKey, ErrorCode, Records, Str, Uuid};

use super::harness::raw::{Raw, batch, fetch_request, only_partition, produce_request};
use super::harness::{Node, wait_until};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn start() -> Option<Node> {
    Node::own(&[
        ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
        ("controller.listener.names", "CONTROLLER"),
    ])
}

fn served(raw: &mut Raw) -> Vec<ApiKey> {
    let request = ApiVersionsRequest {
        client_software_name: Str::from_static("test"),
        client_software_version: Str::from_static("1"),
    };
    let keys = raw.ask(&request, 4).api_keys;
    keys.iter().filter_map(|range| ApiKey::from_i16(range.api_key)).collect()
}

#[test]
fn it_serves_what_is_asked_of_controllers_and_no_client() {
    let Some(node) = start() else { return };
    let (for_clients, for_controllers) = (served(&mut node.open()), served(&mut node.open_controller()));
    for both in [ApiKey::ApiVersions, ApiKey::CreateTopics, ApiKey::DescribeQuorum, ApiKey::Fetch] {
        assert!(for_clients.contains(&both) && for_controllers.contains(&both), "{both:?}");
    }
    for clients in [ApiKey::Produce, ApiKey::Metadata, ApiKey::JoinGroup] {
        assert!(for_clients.contains(&clients) && !for_controllers.contains(&clients), "{clients:?}");
    }
    let mut raw = node.open_controller();
    raw.send(&MetadataRequest::default(), 12);
    assert!(raw.is_closed(), "a client is told by a closed connection that it is wrong here");
}

#[test]
fn each_listener_describes_its_own_side_of_the_cluster() {
    let Some(node) = start() else { return };
    let ask = |raw: &mut Raw, endpoint_type| {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        raw.ask(&request, 1)
    };
    let brokers = ask(&mut node.open(), BROKERS);
    assert_eq!((brokers.error_code, brokers.brokers.len()), (ErrorCode::NONE, 1));
    let controllers = ask(&mut node.open_controller(), CONTROLLERS);
    assert_eq!((controllers.error_code, controllers.endpoint_type), (ErrorCode::NONE, CONTROLLERS));
    assert_eq!(controllers.controller_id, 1);
    assert_eq!(controllers.cluster_id, brokers.cluster_id);
    for (mut raw, wrong) in [(node.open(), CONTROLLERS), (node.open_controller(), BROKERS)] {
        assert_eq!(ask(&mut raw, wrong).error_code, ErrorCode::MISMATCHED_ENDPOINT_TYPE);
        assert_eq!(ask(&mut raw, 7).error_code, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE);
    }
}

#[test]
fn a_tool_describes_the_quorum_by_it() {
    let Some(node) = start() else { return };
    let partition = describe_quorum_request::PartitionData { partition_index: 0 };
    let topic = describe_quorum_request::TopicData {
        topic_name: Str::from_static("__cluster_metadata"),
        partitions: vec![partition],
    };
    let request = DescribeQuorumRequest { topics: vec![topic] };
    let here = node.open_controller().ask(&request, 2).topics.remove(0).partitions.remove(0);
    assert_eq!((here.error_code, here.leader_id), (ErrorCode::NONE, 1));
}

/// A fetch of the metadata log as a broker that does not vote sends it.
fn fetch_metadata(offset: i64, leader_epoch: i32, last_epoch: i32) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: leader_epoch,
        fetch_offset: offset,
        last_fetched_epoch: last_epoch,
        ..Default::default()
    };
    let topic = FetchTopic { topic_id: METADATA_TOPIC_ID, partitions: vec![partition], ..Default::default() };
    FetchRequest {
        replica_state: ReplicaState { replica_id: 7, replica_epoch: -1 },
        max_wait_ms: 200,
        topics: vec![topic],
        ..Default::default()
    }
}

#[test]
fn a_broker_follows_the_metadata_log_by_fetch() {
    let Some(node) = start() else { return };
    let mut raw = node.open_controller();
    let mut ask = |request: &FetchRequest| only_partition(raw.ask(request, 17));
    let first = ask(&fetch_metadata(0, 1, 0));
    assert_eq!((first.error_code, first.current_leader.leader_id), (ErrorCode::NONE, 1));
    let Records::Bytes(bytes) = &first.records else { panic!("there are records") };
    let last = record::stored_batches(bytes).map_while(Result::ok).last().expect("a batch");
    let end = last.header().last_offset() + 1;
    assert_eq!(end, first.high_watermark, "a small log comes in one answer");

    let nothing = ask(&fetch_metadata(end, 1, 1));
    assert_eq!((nothing.error_code, nothing.high_watermark), (ErrorCode::NONE, end));
    assert_eq!(nothing.records, Records::Bytes(bytes::Bytes::new()));
    let diverging = ask(&fetch_metadata(end + 5, 1, 1));
    assert_eq!((diverging.diverging_epoch.epoch, diverging.diverging_epoch.end_offset), (1, end));
    for (epoch, error) in [(0, ErrorCode::FENCED_LEADER_EPOCH), (2, ErrorCode::UNKNOWN_LEADER_EPOCH)] {
        let answer = ask(&fetch_metadata(0, epoch, 0));
        assert_eq!((answer.error_code, answer.current_leader.leader_epoch), (error, 1));
    }
    for unsound in [fetch_metadata(-1, 1, 0), fetch_metadata(0, 1, 2), fetch_metadata(0, 1, -1)] {
        assert_eq!(ask(&unsound).error_code, ErrorCode::INVALID_REQUEST);
    }
}

#[test]
fn who_waits_for_metadata_gets_it_as_soon_as_it_is_decided() {
    let Some(node) = start() else { return };
    let mut raw = node.open_controller();
    let end = only_partition(raw.ask(&fetch_metadata(0, 1, 0), 17)).high_watermark;
    raw.send(&FetchRequest { max_wait_ms: 30_000, ..fetch_metadata(end, 1, 1) }, 17);
    node.create_topic("news", 1, &[]);
    let (_, response) = raw.receive::<FetchRequest>(17);
    let news = only_partition(response);
    assert!(news.high_watermark > end);
    assert!(matches!(news.records, Records::Bytes(bytes) if !bytes.is_empty()));
}

#[test]
fn an_observer_of_another_cluster_or_log_is_refused() {
    let Some(node) = start() else { return };
    let mut raw = node.open_controller();
    let other = Some(Str::from_static("another"));
    let answer = raw.ask(&FetchRequest { cluster_id: other.clone(), ..fetch_metadata(0, 1, 0) }, 17);
    assert_eq!(answer.error_code, ErrorCode::INCONSISTENT_CLUSTER_ID);
    let mut topic = fetch_metadata(0, 1, 0);
    topic.topics[0].topic_id = Uuid([3; 16]);
    assert_eq!(raw.ask(&topic, 17).error_code, ErrorCode::INVALID_REQUEST);
    let snapshot = FetchSnapshotRequest { cluster_id: other, ..fetch_snapshot(5, 1) };
    assert_eq!(raw.ask(&snapshot, 1).error_code, ErrorCode::INCONSISTENT_CLUSTER_ID);
}

fn fetch_snapshot(end_offset: i64, leader_epoch: i32) -> FetchSnapshotRequest {
    let partition = fetch_snapshot_request::PartitionSnapshot {
        current_leader_epoch: leader_epoch,
        snapshot_id: fetch_snapshot_request::SnapshotId { end_offset, epoch: 1 },
        ..Default::default()
    };
    let topic = fetch_snapshot_request::TopicSnapshot {
        name: Str::from_static("__cluster_metadata"),
        partitions: vec![partition],
    };
    FetchSnapshotRequest { replica_id: 7, topics: vec![topic], ..Default::default() }
}

#[test]
fn a_broker_fetches_a_snapshot_in_parts() {
    let Some(node) = Node::own(&[
        ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("metadata.log.max.record.bytes.between.snapshots", "1"),
    ]) else {
        return;
    };
    node.create_topic("some", 3, &[]);
    let mut raw = node.open_controller();
    let mut end_offset = -1;
    wait_until("there is a snapshot", std::time::Duration::from_secs(30), || {
        end_offset = only_partition(raw.ask(&fetch_metadata(0, 1, 0), 17)).snapshot_id.end_offset;
        end_offset > 0
    });
    let mut ask = |request: &FetchSnapshotRequest| raw.ask(request, 1).topics.remove(0).partitions.remove(0);
    let mut request = fetch_snapshot(end_offset, 1);
    request.max_bytes = 50;
    let mut bytes = Vec::new();
    loop {
        request.topics[0].partitions[0].position = i64::try_from(bytes.len()).expect("it is small");
        let part = ask(&request);
        if part.error_code == ErrorCode::POSITION_OUT_OF_RANGE {
            break;
        }
        assert_eq!((part.error_code, part.current_leader.leader_id), (ErrorCode::NONE, 1));
        let Records::Bytes(part) = part.unaligned_records else { panic!("there are bytes") };
        assert!(!part.is_empty() && part.len() <= 50);
        bytes.extend_from_slice(&part);
    }
    let batches = record::stored_batches(&bytes);
    let batches: Vec<_> = batches.map(|batch| batch.expect("it is whole")).collect();
    assert!(batches.len() >= 3, "a header, the state, a footer");
    assert_eq!(ask(&fetch_snapshot(end_offset + 1, 1)).error_code, ErrorCode::SNAPSHOT_NOT_FOUND);
    assert_eq!(ask(&fetch_snapshot(end_offset, 9)).error_code, ErrorCode::UNKNOWN_LEADER_EPOCH);
}

const OTHER_BROKER: i32 = 2;

fn start_unstable() -> Option<Node> {
    Node::own(&[
        ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("unstable.api.versions.enable", "true"),
    ])
}

/// Another broker's registration.
fn registration(cluster_id: Str) -> BrokerRegistrationRequest {
    let features = metadata::features::SUPPORTED.iter().map(|feature| Feature {
        name: Str::from_static(feature.name),
        min_supported_version: *feature.levels.start(),
        max_supported_version: *feature.levels.end(),
    });
    BrokerRegistrationRequest {
        broker_id: OTHER_BROKER,
        cluster_id,
        incarnation_id: Uuid([5; 16]),
        features: features.collect(),
        log_dirs: vec![Uuid([6; 16])],
        ..Default::default()
    }
}

/// Has another broker join, and take part. Returns its epoch.
fn join(node: &Node) -> i64 {
    let mut raw = node.open_controller();
    let request = DescribeClusterRequest { endpoint_type: CONTROLLERS, ..Default::default() };
    let cluster_id = raw.ask(&request, 1).cluster_id;
    let registered = raw.ask(&registration(cluster_id), 4);
    assert_eq!(registered.error_code, ErrorCode::NONE);
    let heartbeat = BrokerHeartbeatRequest {
        broker_id: OTHER_BROKER,
        broker_epoch: registered.broker_epoch,
        current_metadata_offset: registered.broker_epoch,
        ..Default::default()
    };
    assert!(!raw.ask(&heartbeat, 1).is_fenced);
    registered.broker_epoch
}

fn create_on(node: &Node, name: &str, assignments: &[&[i32]]) {
    let assignments = (0..).zip(assignments).map(|(partition_index, broker_ids)| {
        CreatableReplicaAssignment { partition_index, broker_ids: broker_ids.to_vec() }
    });
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: assignments.collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let answer = node.open().ask(&request, 7).topics.remove(0);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
}

#[test]
fn other_brokers_join_only_if_that_is_enabled() {
    let Some(node) = start() else { return };
    assert!(!served(&mut node.open_controller()).contains(&ApiKey::BrokerRegistration));
    let mut raw = node.open_controller();
    raw.send(&registration(Str::from_static("any")), 4);
    assert!(raw.is_closed());

    let Some(node) = start_unstable() else { return };
    assert!(!served(&mut node.open()).contains(&ApiKey::BrokerRegistration), "never by clients");
    let epoch = join(&node);
    let request = DescribeClusterRequest { endpoint_type: BROKERS, ..Default::default() };
    let mut stale = node.open_controller();
    let heartbeat =
        BrokerHeartbeatRequest { broker_id: OTHER_BROKER, broker_epoch: epoch - 1, ..Default::default() };
    assert_eq!(stale.ask(&heartbeat, 1).error_code, ErrorCode::STALE_BROKER_EPOCH);
    // It has no address at this listener.
    assert_eq!(node.open().ask(&request, 1).brokers.len(), 1);
}

#[test]
fn a_partition_on_another_broker_is_not_opened_here() {
    let Some(node) = start_unstable() else { return };
    join(&node);
    create_on(&node, "there", &[&[OTHER_BROKER], &[1]]);
    let mut raw = node.open();
    let mut request = produce_request("there", batch(&[b"value"]), 1);
    let produce = |raw: &mut Raw, request: &ProduceRequest| {
        raw.ask(request, 9).responses.remove(0).partition_responses.remove(0).error_code
    };
    assert_eq!(produce(&mut raw, &request), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    request.topic_data[0].partition_data[0].index = 1;
    assert_eq!(produce(&mut raw, &request), ErrorCode::NONE);
    let topic = raw.topic("there");
    assert_eq!((topic.partitions[0].leader_id, topic.partitions[1].leader_id), (OTHER_BROKER, 1));
}

#[test]
fn acks_all_waits_for_the_fetch_of_every_replica_in_sync() {
    let Some(node) = start_unstable() else { return };
    join(&node);
    create_on(&node, "both", &[&[1, OTHER_BROKER]]);
    let (mut producer, mut follower) = (node.open(), node.open());
    let mut fetch = FetchRequest { replica_id: OTHER_BROKER, ..fetch_request("both", 0, 0) };
    // It is in the ISR from the start, and has nothing yet.
    assert_eq!(follower.fetch_one(&fetch).high_watermark, 0);

    let mut request = produce_request("both", batch(&[b"one", b"two"]), -1);
    request.timeout_ms = 30_000;
    producer.send(&request, 9);
    let mut read = None;
    wait_until("the records are there to be replicated", std::time::Duration::from_secs(30), || {
        let partition = follower.fetch_one(&fetch);
        let has_records = matches!(&partition.records, Records::Bytes(bytes) if !bytes.is_empty());
        read = Some(partition);
        has_records
    });
    assert_eq!(read.expect("a fetch").high_watermark, 0, "a fetch from 0 says that the follower has nothing");
    assert_eq!(node.watermarks("both", 0).1, 0, "clients see only what all in sync have");
    fetch.topics[0].partitions[0].fetch_offset = 2;
    assert_eq!(follower.fetch_one(&fetch).error_code, ErrorCode::NONE);
    let (_, response) = producer.receive::<ProduceRequest>(9);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    assert_eq!(node.watermarks("both", 0).1, 2);
}
