//! Topics by hand: every version of Metadata, ids, pages, single settings.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    ApiVersionsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeTopicPartitionsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};
use protocol::{ErrorCode, Str, Uuid};

use super::harness::Node;
use super::harness::raw::Raw;
use super::harness::{unique, wait_until};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn text(value: &str) -> Str {
    Str::from(value)
}

#[test]
fn metadata_in_every_version() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("metadata", 3, &[]);
    let id = raw.topic_id(&topic);
    for version in 0..=13 {
        let wanted = MetadataRequestTopic { name: Some(text(&topic)), ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![wanted]), ..Default::default() };
        let answer = raw.ask(&request, version);
        assert_eq!(answer.brokers.len(), 1, "version {version}");
        let place = format!("{}:{}", answer.brokers[0].host.as_str(), answer.brokers[0].port);
        assert_eq!(place, broker.bootstrap());
        let found = &answer.topics[0];
        assert_eq!((found.error_code, found.partitions.len()), (ErrorCode::NONE, 3));
        assert!(!found.is_internal);
        assert!(version < 10 || found.topic_id == id, "version {version}");
        for partition in &found.partitions {
            assert_eq!(partition.leader_id, answer.brokers[0].node_id);
            assert_eq!(partition.isr_nodes, [partition.leader_id]);
            assert_eq!(partition.replica_nodes, [partition.leader_id]);
        }
    }
}

/// "All topics" is an empty list in version 0. From version 1 on it is null, and an empty list requests none.
#[test]
fn all_topics_and_no_topics() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("all", 1, &[]);
    let mut names = |topics, version| {
        let answer = raw.ask(&MetadataRequest { topics, ..Default::default() }, version);
        let names = answer.topics.into_iter().filter_map(|topic| topic.name);
        names.map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert!(names(Some(Vec::new()), 0).contains(&topic));
    assert!(names(None, 1).contains(&topic));
    assert!(names(None, 13).contains(&topic));
    assert!(names(Some(Vec::new()), 1).is_empty());
    assert!(names(Some(Vec::new()), 12).is_empty());
}

#[test]
fn metadata_of_what_is_not_there() {
    let broker = Node::start();
    let mut raw = broker.open();
    let absent = unique("absent");
    assert_eq!(raw.topic(&absent).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(raw.topic("not valid").error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    let by_id = MetadataRequestTopic { topic_id: Uuid([5; 16]), name: None };
    let request = MetadataRequest { topics: Some(vec![by_id]), ..Default::default() };
    assert_eq!(raw.ask(&request, 12).topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    let topic = broker.create_topic("by-id", 1, &[]);
    let by_id = MetadataRequestTopic { topic_id: raw.topic_id(&topic), name: None };
    let request = MetadataRequest { topics: Some(vec![by_id]), ..Default::default() };
    let found = raw.ask(&request, 12).topics.remove(0);
    assert_eq!((found.error_code, found.name.as_deref()), (ErrorCode::NONE, Some(topic.as_str())));
}

#[test]
fn partitions_come_in_pages() {
    let broker = Node::start();
    let mut raw = broker.open();
    let prefix = unique("pages");
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(broker.create_topic(&prefix, 5, &[]));
    }
    names.sort();
    let mut cursor = None;
    let mut seen: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    let mut pages = 0;
    loop {
        let topics = names.iter().map(|name| TopicRequest { name: text(name) }).collect();
        let request =
            DescribeTopicPartitionsRequest { topics, response_partition_limit: 4, cursor: cursor.take() };
        let answer = raw.ask(&request, 0);
        pages += 1;
        let in_page: usize = answer.topics.iter().map(|topic| topic.partitions.len()).sum();
        assert!(in_page <= 4, "{in_page} partitions in a page of 4");
        for topic in answer.topics {
            assert_eq!(topic.error_code, ErrorCode::NONE);
            let name = topic.name.expect("a name").to_string();
            let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
            seen.entry(name).or_default().extend(partitions);
        }
        match answer.next_cursor {
            Some(next) => {
                cursor = Some(Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
            }
            None => break,
        }
    }
    assert!(pages >= 4, "{pages} pages");
    assert_eq!(seen.keys().cloned().collect::<Vec<_>>(), names);
    assert!(seen.values().all(|partitions| *partitions == [0, 1, 2, 3, 4]), "{seen:?}");
    let topics = vec![TopicRequest { name: text(&unique("absent")) }];
    let request = DescribeTopicPartitionsRequest { topics, response_partition_limit: 10, cursor: None };
    let code = raw.ask(&request, 0).topics[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn the_cluster_is_described() {
    let broker = Node::start();
    let mut raw = broker.open();
    for version in 0..=2 {
        let request = DescribeClusterRequest { endpoint_type: 1, ..Default::default() };
        let answer = raw.ask(&request, version);
        assert_eq!(answer.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(answer.brokers.len(), 1);
        let place = format!("{}:{}", answer.brokers[0].host.as_str(), answer.brokers[0].port);
        assert_eq!(place, broker.bootstrap());
        assert!(!answer.brokers[0].is_fenced);
        assert!(!answer.cluster_id.is_empty());
    }
}

fn creatable(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic {
        name: text(name),
        num_partitions: partitions,
        replication_factor: replicas,
        ..Default::default()
    }
}

#[test]
fn topics_are_created_and_deleted_in_every_version() {
    let broker = Node::start();
    let mut raw = broker.open();
    for version in 2..=7 {
        let name = unique("versions");
        let mut topic = creatable(&name, 2, 1);
        let config = CreatableTopicConfig { name: text("retention.ms"), value: Some(text("5000")) };
        topic.configs.push(config);
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let answer = raw.ask(&request, version).topics.remove(0);
        assert_eq!(answer.error_code, ErrorCode::NONE, "version {version}");
        if version >= 5 {
            assert_eq!((answer.num_partitions, answer.replication_factor), (2, 1));
            let configs = answer.configs.expect("the topic's settings");
            let retention = configs.iter().find(|config| config.name.as_str() == "retention.ms");
            assert_eq!(retention.and_then(|config| config.value.as_deref()), Some("5000"));
        }
        assert!(version < 7 || answer.topic_id == raw.topic_id(&name));
    }
    for version in 1..=6 {
        let name = broker.create_topic("deleted", 1, &[]);
        let mut request = DeleteTopicsRequest { timeout_ms: 10_000, ..Default::default() };
        if version >= 6 {
            let topic_id = raw.topic_id(&name);
            request.topics = vec![DeleteTopicState { name: None, topic_id }];
        } else {
            request.topic_names = vec![text(&name)];
        }
        let answer = raw.ask(&request, version).responses.remove(0);
        assert_eq!(answer.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(raw.topic(&name).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let absent = DeleteTopicState { name: None, topic_id: Uuid([3; 16]) };
    let request = DeleteTopicsRequest { topics: vec![absent], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(raw.ask(&request, 6).responses[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn replicas_can_be_placed_by_hand() {
    let broker = Node::start();
    let mut raw = broker.open();
    let node =
        raw.ask(&MetadataRequest { topics: Some(Vec::new()), ..Default::default() }, 12).brokers[0].node_id;
    let mut create = |nodes: &[i32]| {
        let name = unique("placed");
        let mut topic = creatable(&name, -1, -1);
        for partition in 0..2 {
            let assignment =
                CreatableReplicaAssignment { partition_index: partition, broker_ids: nodes.to_vec() };
            topic.assignments.push(assignment);
        }
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let code = raw.ask(&request, 7).topics[0].error_code;
        (code, raw.topic(&name).partitions.len())
    };
    assert_eq!(create(&[node]), (ErrorCode::NONE, 2));
    assert_eq!(create(&[node + 100]), (ErrorCode::INVALID_REPLICA_ASSIGNMENT, 0));
    assert_eq!(create(&[node, node]), (ErrorCode::INVALID_REPLICA_ASSIGNMENT, 0));
    assert_eq!(create(&[]), (ErrorCode::INVALID_REPLICA_ASSIGNMENT, 0));
}

/// A topic that a request names twice is not created.
#[test]
fn a_topic_twice_in_one_request() {
    let broker = Node::start();
    let mut raw = broker.open();
    let name = unique("twice");
    let topics = vec![creatable(&name, 1, 1), creatable(&name, 1, 1)];
    let request = CreateTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    let answer = raw.ask(&request, 7);
    assert!(answer.topics.iter().all(|topic| topic.error_code == ErrorCode::INVALID_REQUEST), "{answer:?}");
    assert_eq!(raw.topic(&name).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn partitions_are_added_by_hand() {
    let broker = Node::start();
    let mut raw = broker.open();
    let name = broker.create_topic("more", 1, &[]);
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        let topic = CreatePartitionsTopic { name: text(&name), count, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
        assert_eq!(raw.ask(&request, version).results[0].error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(raw.topic(&name).partitions.len(), usize::try_from(count).expect("small"));
    }
}

/// Changes one setting of a topic, and returns the error.
fn alter(raw: &mut Raw, topic: &str, operation: i8, name: &str, value: Option<&str>) -> ErrorCode {
    let config = AlterableConfig { name: text(name), config_operation: operation, value: value.map(text) };
    let resource =
        AlterConfigsResource { resource_type: TOPIC, resource_name: text(topic), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    raw.ask(&request, 1).responses[0].error_code
}

/// The value and the source of one setting.
fn setting(raw: &mut Raw, resource_type: i8, resource: &str, name: &str) -> (Option<String>, i8) {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: text(resource),
        configuration_keys: Some(vec![text(name)]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let result = raw.ask(&request, 4).results.remove(0);
    assert_eq!(result.error_code, ErrorCode::NONE, "{:?}", result.error_message);
    assert_eq!(result.configs.len(), 1, "only what was asked for");
    let config = &result.configs[0];
    (config.value.as_deref().map(str::to_owned), config.config_source)
}

#[test]
fn settings_of_a_topic_are_changed_one_by_one() {
    const TOPIC_SOURCE: i8 = 1;
    const DEFAULT_SOURCE: i8 = 5;
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("settings", 1, &[]);
    // Kafka's brokers apply a change a moment after it is acknowledged.
    let becomes = |raw: &mut Raw, name, value: &str, source| {
        let expected = (Some(value.to_owned()), source);
        wait_until(&format!("{name}={value}"), Duration::from_secs(5), || {
            setting(raw, TOPIC, &topic, name) == expected
        });
    };
    becomes(&mut raw, "retention.ms", "604800000", DEFAULT_SOURCE);
    assert_eq!(alter(&mut raw, &topic, SET, "retention.ms", Some("1000")), ErrorCode::NONE);
    becomes(&mut raw, "retention.ms", "1000", TOPIC_SOURCE);
    assert_eq!(alter(&mut raw, &topic, DELETE, "retention.ms", None), ErrorCode::NONE);
    becomes(&mut raw, "retention.ms", "604800000", DEFAULT_SOURCE);
    assert_eq!(alter(&mut raw, &topic, APPEND, "cleanup.policy", Some("compact")), ErrorCode::NONE);
    becomes(&mut raw, "cleanup.policy", "delete,compact", TOPIC_SOURCE);
    assert_eq!(alter(&mut raw, &topic, SUBTRACT, "cleanup.policy", Some("delete")), ErrorCode::NONE);
    becomes(&mut raw, "cleanup.policy", "compact", TOPIC_SOURCE);

    assert_eq!(alter(&mut raw, &topic, SET, "retention.ms", Some("soon")), ErrorCode::INVALID_CONFIG);
    assert_eq!(alter(&mut raw, &topic, SET, "no.such", Some("1")), ErrorCode::INVALID_CONFIG);
    assert_eq!(alter(&mut raw, &topic, APPEND, "retention.ms", Some("1")), ErrorCode::INVALID_CONFIG);
    let absent = unique("absent");
    let code = alter(&mut raw, &absent, SET, "retention.ms", Some("1"));
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

/// A changed limit applies to the next batch.
#[test]
fn a_changed_setting_takes_hold() {
    use super::harness::raw::batch;
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("hold", 1, &[]);
    raw.append(&topic, batch(&[&[b'x'; 5_000]]));
    assert_eq!(alter(&mut raw, &topic, SET, "max.message.bytes", Some("1000")), ErrorCode::NONE);
    let begun = std::time::Instant::now();
    wait_until("the limit holds", Duration::from_secs(5), || {
        raw.produce(&topic, batch(&[&[b'x'; 5_000]])).error_code == ErrorCode::MESSAGE_TOO_LARGE
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(alter(&mut raw, &topic, DELETE, "max.message.bytes", None), ErrorCode::NONE);
    wait_until("the default holds", Duration::from_secs(5), || {
        raw.produce(&topic, batch(&[&[b'x'; 5_000]])).error_code == ErrorCode::NONE
    });
}

#[test]
fn settings_of_the_broker_by_hand() {
    let broker = Node::start();
    let mut raw = broker.open();
    let node =
        raw.ask(&MetadataRequest { topics: Some(Vec::new()), ..Default::default() }, 12).brokers[0].node_id;
    let (value, _) = setting(&mut raw, BROKER, &node.to_string(), "num.partitions");
    assert_eq!(value.as_deref(), Some("1"));
    for (resource_type, name, expected) in [
        (BROKER, (node + 50).to_string(), ErrorCode::INVALID_REQUEST),
        (BROKER, "x".to_owned(), ErrorCode::INVALID_REQUEST),
        (TOPIC, "not valid".to_owned(), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (77, "x".to_owned(), ErrorCode::INVALID_REQUEST),
    ] {
        let resource =
            DescribeConfigsResource { resource_type, resource_name: text(&name), configuration_keys: None };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let code = raw.ask(&request, 4).results[0].error_code;
        assert_eq!(code, expected, "{resource_type} {name}");
    }
}

/// Only served APIs are listed, and those that clients rely on are.
#[test]
fn api_versions_list_what_is_served() {
    let broker = Node::start();
    let mut raw = broker.open();
    let request =
        ApiVersionsRequest { client_software_name: text("raw"), client_software_version: text("1.0") };
    for version in 0..=4 {
        let answer = raw.ask(&request, version);
        assert_eq!(answer.error_code, ErrorCode::NONE, "version {version}");
        let range = |key: i16| {
            let found =
                answer.api_keys.iter().find(|api| api.api_key == key).unwrap_or_else(|| panic!("API {key}"));
            (found.min_version, found.max_version)
        };
        // The ranges of Kafka 4.3, in which clients check for single versions.
        for (key, expected) in [
            (0, (0, 13)),
            (2, (1, 11)),
            (3, (0, 13)),
            (8, (2, 10)),
            (9, (1, 10)),
            (10, (0, 6)),
            (11, (0, 9)),
            (12, (0, 4)),
            (18, (0, 4)),
            (19, (2, 7)),
            (22, (0, 5)),
        ] {
            assert_eq!(range(key), expected, "API {key}");
        }
        assert_eq!(range(1).0, 4, "Fetch");
    }
    let odd = ApiVersionsRequest {
        client_software_name: text("-not valid-"),
        client_software_version: text("1.0"),
    };
    assert_eq!(raw.ask(&odd, 3).error_code, ErrorCode::INVALID_REQUEST);
}
