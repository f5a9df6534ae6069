//! Texts as long as the protocol has room for: each request is answered, and so is the next.

use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    IncrementalAlterConfigsRequest, JoinGroupRequest, OffsetCommitRequest,
};
use protocol::{Bytes, ErrorCode, Str};

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::raw::Raw;
use crate::harness::wire::Wire;

const TEXT_MAX: usize = 32_767;
const TOPIC: i8 = 2;
const SET: i8 = 0;
const APPEND: i8 = 2;
const THROTTLED: &str = "leader.replication.throttled.replicas";

fn long() -> Str {
    Str::from("x".repeat(TEXT_MAX))
}

fn alter(raw: &mut Raw, topic: &Str, name: &Str, operation: i8, value: Str) -> (ErrorCode, usize) {
    let config = AlterableConfig { name: name.clone(), config_operation: operation, value: Some(value) };
    let resource =
        AlterConfigsResource { resource_type: TOPIC, resource_name: topic.clone(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = raw.ask(&request, 1).responses.remove(0);
    (response.error_code, response.error_message.map_or(0, |message| message.len()))
}

fn create(raw: &mut Raw, name: Str) -> ErrorCode {
    let topic = CreatableTopic { name, num_partitions: 1, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 20_000, ..Default::default() };
    raw.ask(&request, 7).topics.remove(0).error_code
}

/// A list that grows past what a record holds: what is decided after it is decided as before.
#[test]
fn a_list_that_outgrows_its_record_stops_nothing() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = Str::from(create_topic(broker.bootstrap(), "throttled", 1, &[]));
    let mut raw = Raw::open(broker.bootstrap());
    let replicas = |from: usize| {
        let replicas: Vec<String> =
            (from..from + 2_500).map(|partition| format!("{partition:05}:1")).collect();
        Str::from(replicas.join(","))
    };
    let name = Str::from(THROTTLED);
    assert_eq!(alter(&mut raw, &topic, &name, APPEND, replicas(0)).0, ErrorCode::NONE);
    assert_eq!(alter(&mut raw, &topic, &name, APPEND, replicas(2_500)).0, ErrorCode::INVALID_CONFIG);
    assert_eq!(create(&mut raw, Str::from("after")), ErrorCode::NONE);
    let name = Str::from("retention.ms");
    assert_eq!(alter(&mut raw, &topic, &name, SET, Str::from("5000")).0, ErrorCode::NONE);
    broker.assert_healthy();
}

#[test]
fn messages_about_long_texts_are_sent() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = Str::from(create_topic(broker.bootstrap(), "long", 1, &[]));
    let mut raw = Raw::open(broker.bootstrap());
    assert_eq!(create(&mut raw, long()), ErrorCode::INVALID_TOPIC_EXCEPTION);
    let retention = Str::from("retention.ms");
    for (resource, name, value) in
        [(&long(), &retention, "1".into()), (&topic, &long(), "1".into()), (&topic, &retention, long())]
    {
        let (error_code, message_bytes) = alter(&mut raw, resource, name, SET, value);
        assert!(error_code.is_error() && message_bytes <= TEXT_MAX, "{} {message_bytes}", error_code.name());
    }
    let resource =
        DescribeConfigsResource { resource_type: TOPIC, resource_name: long(), configuration_keys: None };
    let described = raw.ask(&DescribeConfigsRequest { resources: vec![resource], ..Default::default() }, 4);
    assert!(described.results[0].error_code.is_error());
    let topics = vec![DeleteTopicState { name: Some(long()), ..Default::default() }];
    let deleted = raw.ask(&DeleteTopicsRequest { topics, timeout_ms: 20_000, ..Default::default() }, 6);
    assert!(deleted.responses[0].error_code.is_error());
    assert_eq!(create(&mut raw, Str::from("after")), ErrorCode::NONE);
    broker.assert_healthy();
}

#[test]
fn groups_with_long_names_are_served() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = Str::from(create_topic(broker.bootstrap(), "committed", 1, &[]));
    let mut raw = Raw::open(broker.bootstrap());
    raw.await_coordinator(&long());
    let described = raw.ask(&DescribeGroupsRequest { groups: vec![long()], ..Default::default() }, 6);
    assert_eq!(described.groups[0].error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let partition = OffsetCommitRequestPartition {
        committed_offset: 5,
        committed_metadata: Some("m".repeat(4_096).into()),
        ..Default::default()
    };
    let mut commit = OffsetCommitRequest {
        group_id: long(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic,
            partitions: vec![partition.clone()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let error_code = |raw: &mut Raw, commit: &OffsetCommitRequest| {
        raw.ask(commit, 8).topics[0].partitions.last().expect("a partition").error_code
    };
    assert_eq!(error_code(&mut raw, &commit), ErrorCode::NONE);
    // Each record has the name of the group: together they are 3 GB.
    commit.topics[0].partitions = vec![OffsetCommitRequestPartition::default(); 100_000];
    assert_eq!(error_code(&mut raw, &commit), ErrorCode::UNKNOWN_SERVER_ERROR);
    commit.topics[0].partitions = vec![partition];
    assert_eq!(error_code(&mut raw, &commit), ErrorCode::NONE);

    // A member id is the client id and a UUID behind it.
    let protocol = JoinGroupRequestProtocol { name: long(), metadata: Bytes::from(vec![0; 100_000]) };
    let mut join = JoinGroupRequest {
        group_id: long(),
        group_instance_id: Some(long()),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: long(),
        protocols: vec![protocol],
        ..Default::default()
    };
    assert_eq!(raw.ask(&join, 5).error_code, ErrorCode::INVALID_REQUEST);
    join.group_instance_id = Some("i".repeat(TEXT_MAX - 37).into());
    let joined = raw.ask(&join, 5);
    assert_eq!((joined.error_code, joined.member_id.len()), (ErrorCode::NONE, TEXT_MAX));
    assert_eq!(Wire::open(broker.bootstrap()).ask(18, 0, &[])[..2], [0, 0]);
    broker.assert_healthy();
}
