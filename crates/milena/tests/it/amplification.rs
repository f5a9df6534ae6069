//! Short requests that could have long answers: each has a bound, and others are served meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use protocol::messages::{
    AlterConfigsRequest, AlterPartitionReassignmentsRequest, CreateAclsRequest, CreatePartitionsRequest,
    CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    DescribeQuorumRequest, DescribeTopicPartitionsRequest, ElectLeadersRequest, FetchRequest,
    FindCoordinatorRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest, ListGroupsRequest,
    ListOffsetsRequest, ListPartitionReassignmentsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest,
};
use protocol::messages::{
    alter_configs_request, alter_partition_reassignments_request, create_acls_request,
    create_partitions_request, create_topics_request, delete_records_request, delete_topics_request,
    describe_configs_request, describe_log_dirs_request, describe_producers_request, describe_quorum_request,
    describe_topic_partitions_request, elect_leaders_request, fetch_request,
    incremental_alter_configs_request, list_offsets_request, list_partition_reassignments_request,
    metadata_request, offset_commit_request, offset_fetch_request, offset_for_leader_epoch_request,
};
use protocol::{ErrorCode, Request, Str};
use record::{BatchBuilder, Compression};

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::raw::{Raw, now_ms, produce_request};
use crate::harness::wire::assert_serves;

/// The number of times that each request repeats a name.
const TIMES: usize = 20_000;
/// The most bytes of an answer beyond those of its request: a thousand rows, or a mebibyte of repeated text.
const ANSWER_BYTES_MAX: usize = 3 << 20;
/// The most memory that the broker may hold after any of this beyond what it held before.
const GROWTH_MAX: u64 = 128 << 20;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// As long as names are. Requests of many shorter ones are not taken, for they would take far more memory than bytes.
const GROUP: &str = "a-group-whose-name-is-as-long-as-names-are";

fn times<T: Clone>(one: T) -> Vec<T> {
    vec![one; TIMES]
}

/// A broker with a topic, a group that has committed with long metadata, and a connection.
struct Setting {
    broker: Broker,
    raw: Raw,
    topic: Str,
    before: u64,
}

impl Setting {
    fn new() -> Option<Setting> {
        let broker = Broker::own(&[])?;
        let topic = create_topic(broker.bootstrap(), "t", 2, &[]);
        let mut raw = Raw::open(broker.bootstrap());
        raw.await_coordinator(GROUP);
        let partition = offset_commit_request::OffsetCommitRequestPartition {
            committed_metadata: Some("m".repeat(4000).into()),
            ..Default::default()
        };
        let committed = offset_commit_request::OffsetCommitRequestTopic {
            name: topic.as_str().into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let commit = OffsetCommitRequest {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: -1,
            topics: vec![committed],
            ..Default::default()
        };
        assert_eq!(raw.ask(&commit, 7).topics[0].partitions[0].error_code, ErrorCode::NONE);
        let before = broker.resident_bytes()?;
        Some(Setting { broker, raw, topic: topic.as_str().into(), before })
    }

    /// Sends the request in each version, and compares what it takes with what comes back.
    #[track_caller]
    fn check<R: Request>(&mut self, versions: impl IntoIterator<Item = i16>, request: &R) {
        for version in versions {
            let sent = self.raw.send_counted(request, version);
            let received = self.raw.receive_bytes().len();
            let most = 4 * sent + ANSWER_BYTES_MAX;
            assert!(received <= most, "{} {version}: {received} bytes for {sent}", R::API_KEY);
        }
    }

    fn end(mut self) {
        assert_serves(self.broker.bootstrap());
        let after = self.broker.resident_bytes().expect("it runs");
        assert!(after < self.before + GROWTH_MAX, "memory grew from {} to {after}", self.before);
        self.broker.assert_healthy();
    }
}

#[test]
fn of_topics() {
    let Some(mut it) = Setting::new() else { return };
    let name = it.topic.clone();
    let topic = metadata_request::MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(times(topic)), allow_auto_topic_creation: true, ..Default::default() };
    it.check(4..=13, &request);
    it.check(0..=3, &request);
    let topic = describe_topic_partitions_request::TopicRequest { name: name.clone() };
    let request = DescribeTopicPartitionsRequest {
        topics: times(topic),
        response_partition_limit: i32::MAX,
        ..Default::default()
    };
    it.check([0], &request);
    let partition = list_offsets_request::ListOffsetsPartition { timestamp: -1, ..Default::default() };
    let topic = list_offsets_request::ListOffsetsTopic { name: name.clone(), partitions: times(partition) };
    let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
    it.check([1, 7, 11], &request);
    let topic =
        describe_log_dirs_request::DescribableLogDirTopic { topic: name.clone(), partitions: times(0) };
    it.check(1..=4, &DescribeLogDirsRequest { topics: Some(vec![topic]), ..Default::default() });
    let topic = describe_producers_request::TopicRequest { name: name.clone(), partition_indexes: times(7) };
    it.check([0], &DescribeProducersRequest { topics: vec![topic] });
    let topic = offset_for_leader_epoch_request::OffsetForLeaderTopic {
        topic: name.clone(),
        partitions: times(offset_for_leader_epoch_request::OffsetForLeaderPartition::default()),
    };
    it.check([4], &OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() });
    let partition = delete_records_request::DeleteRecordsPartition::default();
    let topic = delete_records_request::DeleteRecordsTopic { name, partitions: times(partition) };
    it.check([2], &DeleteRecordsRequest { topics: vec![topic], ..Default::default() });
    it.end();
}

#[test]
fn of_records() {
    let Some(mut it) = Setting::new() else { return };
    let partition = fetch_request::FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = fetch_request::FetchTopic {
        topic: it.topic.clone(),
        partitions: times(partition),
        ..Default::default()
    };
    let request =
        FetchRequest { max_bytes: 50 << 20, session_epoch: -1, topics: vec![topic], ..Default::default() };
    it.check([4, 7, 12], &request);
    let unknown = fetch_request::FetchTopic { topic: "unknown".into(), ..request.topics[0].clone() };
    it.check([4, 12], &FetchRequest { topics: vec![unknown], ..request });
    // Each batch has a thousand records whose time is wrong, in few bytes.
    let mut builder = BatchBuilder::new(Compression::Gzip);
    for _ in 0..1000 {
        builder.push(now_ms() + 10_000_000, None, None, &[]);
    }
    let mut request = produce_request(&it.topic, builder.build(), -1);
    let partition = request.topic_data[0].partition_data[0].clone();
    request.topic_data[0].partition_data = vec![partition; 2000];
    it.check([9], &request);
    it.end();
}

#[test]
fn of_groups() {
    let Some(mut it) = Setting::new() else { return };
    it.check(0..=6, &DescribeGroupsRequest { groups: times(GROUP.into()), ..Default::default() });
    it.check(
        [2],
        &DeleteGroupsRequest { groups_names: times("an-unknown-group-with-such-a-long-name".into()) },
    );
    it.check(
        [4],
        &ListGroupsRequest {
            states_filter: times("PreparingRebalance, with spaces around it".into()),
            ..Default::default()
        },
    );
    for key_type in 0..3 {
        let coordinator_keys = times(GROUP.into());
        it.check([4, 6], &FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() });
    }
    let topic =
        offset_fetch_request::OffsetFetchRequestTopic { name: it.topic.clone(), partition_indexes: times(0) };
    let old = OffsetFetchRequest { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() };
    it.check([1, 5, 7], &old);
    let topic = offset_fetch_request::OffsetFetchRequestTopics {
        name: it.topic.clone(),
        partition_indexes: vec![0; 90],
        ..Default::default()
    };
    let group = offset_fetch_request::OffsetFetchRequestGroup {
        group_id: GROUP.into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    it.check([8, 9], &OffsetFetchRequest { groups: vec![group.clone(); 1000], ..Default::default() });
    let all = offset_fetch_request::OffsetFetchRequestGroup { topics: None, ..group };
    it.check([8, 9], &OffsetFetchRequest { groups: times(all), ..Default::default() });
    it.end();
}

#[test]
fn of_settings() {
    let Some(mut it) = Setting::new() else { return };
    for (resource_type, name) in
        [(BROKER, Str::from("1")), (TOPIC, it.topic.clone()), (BROKER, Str::from("x"))]
    {
        let resource = describe_configs_request::DescribeConfigsResource {
            resource_type,
            resource_name: name.clone(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: times(resource),
            include_documentation: true,
            include_synonyms: true,
        };
        it.check([3], &request);
        if resource_type == BROKER {
            continue;
        }
        let resource = alter_configs_request::AlterConfigsResource {
            resource_type,
            resource_name: name.clone(),
            ..Default::default()
        };
        it.check([0], &AlterConfigsRequest { resources: times(resource), ..Default::default() });
        let resource = incremental_alter_configs_request::AlterConfigsResource {
            resource_type,
            resource_name: name,
            ..Default::default()
        };
        it.check([0], &IncrementalAlterConfigsRequest { resources: times(resource), ..Default::default() });
    }
    it.check([1], &ListConfigResourcesRequest { resource_types: times(TOPIC) });
    it.end();
}

#[test]
fn of_the_controller() {
    let Some(mut it) = Setting::new() else { return };
    let topic = create_topics_request::CreatableTopic { num_partitions: 1, ..Default::default() };
    it.check(
        [5, 7],
        &CreateTopicsRequest { topics: times(topic), validate_only: true, ..Default::default() },
    );
    let topic = create_partitions_request::CreatePartitionsTopic { name: "x".into(), ..Default::default() };
    it.check([3], &CreatePartitionsRequest { topics: times(topic), ..Default::default() });
    let topic = delete_topics_request::DeleteTopicState { name: Some("x".into()), ..Default::default() };
    it.check([6], &DeleteTopicsRequest { topics: times(topic), ..Default::default() });
    let long: Str = "x".repeat(30_000).into();
    let topic = elect_leaders_request::TopicPartitions { topic: long.clone(), partitions: times(3) };
    it.check([0, 2], &ElectLeadersRequest { topic_partitions: Some(vec![topic]), ..Default::default() });
    let partition = alter_partition_reassignments_request::ReassignablePartition::default();
    let topic =
        alter_partition_reassignments_request::ReassignableTopic { name: long, partitions: times(partition) };
    it.check([0, 1], &AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() });
    let topic = list_partition_reassignments_request::ListPartitionReassignmentsTopics {
        name: it.topic.clone(),
        partition_indexes: vec![0],
    };
    it.check([0], &ListPartitionReassignmentsRequest { topics: Some(times(topic)), ..Default::default() });
    let partition = describe_quorum_request::PartitionData::default();
    let topic = describe_quorum_request::TopicData {
        topic_name: "__cluster_metadata".into(),
        partitions: times(partition),
    };
    it.check([0, 2], &DescribeQuorumRequest { topics: vec![topic] });
    let creation = create_acls_request::AclCreation {
        resource_name: GROUP.into(),
        principal: GROUP.into(),
        host: GROUP.into(),
        ..Default::default()
    };
    it.check([1, 3], &CreateAclsRequest { creations: times(creation) });
    it.end();
}

/// Every answer is as long as one may be, and clients do not read them: others are served, and the memory has a bound.
#[test]
fn large_answers_keep_nobody_waiting() {
    let Some(mut it) = Setting::new() else { return };
    // Any name is that of a group.
    let resources = (0..60_000).map(|number| describe_configs_request::DescribeConfigsResource {
        resource_type: 32,
        resource_name: number.to_string().into(),
        configuration_keys: None,
    });
    let request = DescribeConfigsRequest {
        resources: resources.collect(),
        include_documentation: true,
        include_synonyms: true,
    };
    let bootstrap = it.broker.bootstrap().to_owned();
    let enough = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !enough.load(Ordering::Relaxed) {
                longest = longest.max(assert_serves(&bootstrap));
            }
            longest
        });
        let mut clients: Vec<Raw> = (0..4).map(|_| Raw::open(&bootstrap)).collect();
        for client in &mut clients {
            client.send(&request, 3);
        }
        let received: Vec<usize> = clients.iter_mut().map(|client| client.receive_bytes().len()).collect();
        enough.store(true, Ordering::Relaxed);
        assert!(received.iter().all(|bytes| *bytes < 80 << 20), "{received:?}");
        other.join().expect("it has not failed")
    });
    // Making four of them takes many seconds in a debug build, in which each thread of the runtime would stand still.
    assert!(longest < Duration::from_secs(20), "another client waited {longest:?}");
    it.raw.ask(&MetadataRequest::default(), 9);
    it.broker.assert_healthy();
}
