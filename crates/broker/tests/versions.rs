//! Every served version of every API answers an ordinary request.
#![allow(clippy::disallowed_methods, reason = "a test speaks to the broker over sockets of its own")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use broker::{APIS, Api, Listeners, RunningNode};
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::create_acls_request::AclCreation;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::delete_acls_request::DeleteAclsFilter;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::*;
use protocol::{ApiKey, Bytes, ErrorCode, Records, Request, Str, Uuid, Writer, frame};
use record::{BatchBuilder, Compression};
use settings::Configs;

const TOPIC: &str = "versions";

async fn broker(dir: &std::path::Path) -> RunningNode {
    let given = [("listeners", "PLAINTEXT://127.0.0.1:0"), ("log.dirs", dir.to_str().unwrap())];
    let given: Configs = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    broker::start(given).await.unwrap()
}

/// Sends a request and reads its response, which must decode to its end.
fn ask<R: Request>(address: SocketAddr, request: &R, version: i16) -> R::Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let client_id = Some(Str::from("versions-test"));
    let sent = frame::encode_request(version.into(), client_id, request, version, Writer::new()).unwrap();
    stream.write_all(&sent.into_bytes()).unwrap();
    let mut length = [0; 4];
    let named = format!("{} version {version}", R::NAME);
    stream.read_exact(&mut length).unwrap_or_else(|error| panic!("{named} has no answer: {error}"));
    let mut response = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut response).unwrap();
    let decoded = frame::decode_response::<R::Response>(Bytes::from(response), version);
    let (correlation_id, response) = decoded.unwrap_or_else(|error| panic!("the answer to {named}: {error}"));
    assert_eq!(correlation_id, i32::from(version));
    response
}

/// Sends the request that `request` builds, in every served version.
fn every_version<R: Request>(
    address: SocketAddr,
    asked: &mut Vec<ApiKey>,
    request: impl Fn(i16) -> R,
    check: impl Fn(R::Response, i16),
) {
    let api = APIS.iter().find(|api| api.key == R::API_KEY).expect("it is served");
    for version in api.versions.clone() {
        check(ask(address, &request(version), version), version);
    }
    asked.push(R::API_KEY);
}

fn named(name: &'static str) -> Str {
    Str::from_static(name)
}

fn create_topic(address: SocketAddr, name: &'static str, version: i16) -> Uuid {
    let topic =
        CreatableTopic { name: named(name), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 9_000, ..Default::default() };
    let response = ask(address, &request, version);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "{:?}", response.topics[0]);
    response.topics[0].topic_id
}

fn one_record() -> Records {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1_700_000_000_000, Some(b"key"), Some(b"value"), &[]);
    Records::Bytes(builder.build().into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_of_every_api_is_answered() {
    let dir = std::env::temp_dir().join(format!("milena-versions-{}", std::process::id()));
    let running = broker(&dir).await;
    let address = running.local_addresses()[0];
    let asked = tokio::task::spawn_blocking(move || {
        let id = create_topic(address, TOPIC, 7);
        let mut asked = Vec::new();
        records(address, &mut asked, id);
        offsets(address, &mut asked);
        groups(address, &mut asked, id);
        cluster(address, &mut asked);
        asked
    });
    let mut asked = asked.await.unwrap();
    asked.sort_unstable();
    let mut served: Vec<ApiKey> = for_clients().map(|api| api.key).collect();
    served.sort_unstable();
    assert_eq!(asked, served, "this test asks about every API that clients are served");
    running.shutdown().await;
    std::fs::remove_dir_all(dir).unwrap();
}

/// The APIs at a listener for clients.
fn for_clients() -> impl Iterator<Item = &'static Api> {
    APIS.iter().filter(|api| matches!(api.listeners, Listeners::Brokers | Listeners::All))
}

fn records(address: SocketAddr, asked: &mut Vec<ApiKey>, id: Uuid) {
    let produce = |version| {
        let data = PartitionProduceData { index: 0, records: one_record() };
        let (name, topic_id) = if version >= 13 { (Str::default(), id) } else { (named(TOPIC), Uuid::ZERO) };
        let topic_data = vec![TopicProduceData { name, topic_id, partition_data: vec![data] }];
        ProduceRequest { acks: -1, timeout_ms: 9_000, topic_data, ..Default::default() }
    };
    every_version(address, asked, produce, |response, version| {
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(partition.base_offset, i64::from(version) - 3);
    });
    let fetch = |version| {
        let partitions =
            vec![FetchPartition { fetch_offset: 1, partition_max_bytes: 1 << 20, ..Default::default() }];
        let (topic, topic_id) = if version >= 13 { (Str::default(), id) } else { (named(TOPIC), Uuid::ZERO) };
        let topics = vec![FetchTopic { topic, topic_id, partitions }];
        FetchRequest { max_wait_ms: 100, min_bytes: 1, topics, ..Default::default() }
    };
    every_version(address, asked, fetch, |response, version| {
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(partition.high_watermark, 11);
        let first = record::batches(partition.records.as_bytes().unwrap()).next().unwrap().unwrap();
        assert_eq!(first.header().base_offset, 1, "version {version}");
    });
}

fn offsets(address: SocketAddr, asked: &mut Vec<ApiKey>) {
    let list = |_| {
        let partitions = vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }];
        let topics = vec![ListOffsetsTopic { name: named(TOPIC), partitions }];
        ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }
    };
    every_version(address, asked, list, |response, version| {
        assert_eq!(response.topics[0].partitions[0].offset, 11, "version {version}");
    });
    let delete = |_| {
        let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 1 }];
        let topics = vec![DeleteRecordsTopic { name: named(TOPIC), partitions }];
        DeleteRecordsRequest { topics, timeout_ms: 9_000 }
    };
    every_version(address, asked, delete, |response, version| {
        assert_eq!(response.topics[0].partitions[0].low_watermark, 1, "version {version}");
    });
    let epoch = |_| {
        let partitions = vec![OffsetForLeaderPartition { leader_epoch: 0, ..Default::default() }];
        let topics = vec![OffsetForLeaderTopic { topic: named(TOPIC), partitions }];
        OffsetForLeaderEpochRequest { topics, ..Default::default() }
    };
    every_version(address, asked, epoch, |response, version| {
        assert_eq!(response.topics[0].partitions[0].end_offset, 11, "version {version}");
    });
    let producer = |_| InitProducerIdRequest { transactional_id: None, ..Default::default() };
    every_version(address, asked, producer, |response, version| {
        assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0), "version {version}");
    });
}

fn groups(address: SocketAddr, asked: &mut Vec<ApiKey>, id: Uuid) {
    let find = |version| match version {
        4.. => FindCoordinatorRequest { coordinator_keys: vec![named("g")], ..Default::default() },
        _ => FindCoordinatorRequest { key: named("g"), ..Default::default() },
    };
    every_version(address, asked, find, |response, version| {
        let error =
            response.coordinators.first().map_or(response.error_code, |coordinator| coordinator.error_code);
        assert_eq!(error, ErrorCode::NONE, "version {version}");
    });
    let commit = |version| {
        let partitions = vec![OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() }];
        let (name, topic_id) = if version >= 10 { (Str::default(), id) } else { (named(TOPIC), Uuid::ZERO) };
        let topics = vec![OffsetCommitRequestTopic { name, topic_id, partitions }];
        OffsetCommitRequest { group_id: named("g"), topics, ..Default::default() }
    };
    every_version(address, asked, commit, |response, version| {
        assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE, "version {version}");
    });
    every_version(
        address,
        asked,
        |version| offset_fetch(version, id),
        |response, version| {
            let committed = match response.groups.first() {
                Some(group) => group.topics[0].partitions[0].committed_offset,
                None => response.topics[0].partitions[0].committed_offset,
            };
            assert_eq!(committed, 5, "version {version}");
        },
    );
    let forget = |_| {
        let partitions = [0, 7].map(|partition_index| OffsetDeleteRequestPartition { partition_index });
        let topics = vec![OffsetDeleteRequestTopic { name: named(TOPIC), partitions: partitions.into() }];
        OffsetDeleteRequest { group_id: named("g"), topics }
    };
    every_version(address, asked, forget, |response, _| {
        let errors = response.topics[0].partitions.iter().map(|it| (it.partition_index, it.error_code));
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(errors.collect::<Vec<_>>(), [(0, ErrorCode::NONE), (7, unknown)]);
    });
    let describe = |version: i16| DescribeGroupsRequest {
        groups: vec![named("g")],
        include_authorized_operations: version >= 3,
    };
    every_version(address, asked, describe, |response, _| {
        assert_eq!(&*response.groups[0].group_state, "Empty");
    });
    every_version(
        address,
        asked,
        |_| ListGroupsRequest::default(),
        |response, _| {
            assert_eq!(&*response.groups[0].group_id, "g");
        },
    );
    members(address, asked);
    let delete = |_| DeleteGroupsRequest { groups_names: vec![named("unknown")] };
    every_version(address, asked, delete, |response, _| {
        assert_eq!(response.results[0].error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    });
}

fn offset_fetch(version: i16, id: Uuid) -> OffsetFetchRequest {
    if version < 8 {
        let topics = Some(vec![OffsetFetchRequestTopic { name: named(TOPIC), partition_indexes: vec![0] }]);
        return OffsetFetchRequest { group_id: named("g"), topics, ..Default::default() };
    }
    let (name, topic_id) = if version >= 10 { (Str::default(), id) } else { (named(TOPIC), Uuid::ZERO) };
    let topics = Some(vec![OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![0] }]);
    let groups = vec![OffsetFetchRequestGroup { group_id: named("g"), topics, ..Default::default() }];
    OffsetFetchRequest { groups, ..Default::default() }
}

fn members(address: SocketAddr, asked: &mut Vec<ApiKey>) {
    let stranger = named("stranger");
    let join = |_| JoinGroupRequest {
        group_id: named("g"),
        member_id: stranger.clone(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: named("consumer"),
        ..Default::default()
    };
    every_version(address, asked, join, |response, version| {
        assert!(response.error_code.is_error(), "version {version}");
    });
    let sync = |_| SyncGroupRequest {
        group_id: named("g"),
        member_id: stranger.clone(),
        protocol_type: None,
        ..Default::default()
    };
    every_version(address, asked, sync, |response, version| {
        assert!(response.error_code.is_error(), "version {version}");
    });
    let heartbeat =
        |_| HeartbeatRequest { group_id: named("g"), member_id: stranger.clone(), ..Default::default() };
    every_version(address, asked, heartbeat, |response, _| {
        assert_eq!(response.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    });
    let leave = |version| match version {
        3.. => LeaveGroupRequest { group_id: named("g"), ..Default::default() },
        _ => LeaveGroupRequest { group_id: named("g"), member_id: stranger.clone(), ..Default::default() },
    };
    every_version(address, asked, leave, |_, _| {});
}

fn cluster(address: SocketAddr, asked: &mut Vec<ApiKey>) {
    let versions = |version: i16| match version {
        3.. => {
            ApiVersionsRequest { client_software_name: named("test"), client_software_version: named("1") }
        }
        _ => ApiVersionsRequest::default(),
    };
    every_version(address, asked, versions, |response, version| {
        assert_eq!(response.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(response.api_keys.len(), for_clients().count());
    });
    let metadata = |_| {
        let topic = MetadataRequestTopic { name: Some(named(TOPIC)), ..Default::default() };
        MetadataRequest { topics: Some(vec![topic]), ..Default::default() }
    };
    every_version(address, asked, metadata, |response, version| {
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "version {version}");
        assert_eq!((response.brokers.len(), response.topics[0].partitions.len()), (1, 2));
    });
    every_version(
        address,
        asked,
        |_| DescribeClusterRequest::default(),
        |response, _| {
            assert_eq!(response.brokers.len(), 1);
        },
    );
    every_version(
        address,
        asked,
        |_| DescribeTopicPartitionsRequest::default(),
        |response, _| {
            assert!(response.topics.iter().any(|topic| topic.name.as_deref() == Some(TOPIC)));
        },
    );
    let configs = |_| {
        let resource =
            DescribeConfigsResource { resource_type: 2, resource_name: named(TOPIC), ..Default::default() };
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, ..Default::default() }
    };
    every_version(address, asked, configs, |response, _| assert!(response.results[0].configs.len() > 20));
    every_version(
        address,
        asked,
        |_| {
            let topic = AlterReplicaLogDirTopic { name: TOPIC.into(), partitions: vec![0, 0] };
            let dir = AlterReplicaLogDir { path: "/nowhere".into(), topics: vec![topic] };
            AlterReplicaLogDirsRequest { dirs: vec![dir] }
        },
        |response, version| {
            let [topic] = &response.results[..] else { panic!("version {version}: {response:?}") };
            let codes: Vec<_> = topic.partitions.iter().map(|partition| partition.error_code).collect();
            assert_eq!(codes, [ErrorCode::LOG_DIR_NOT_FOUND], "version {version}");
        },
    );
    every_version(
        address,
        asked,
        |version| DescribeLogDirsRequest { topics: None, include_log_status: version != 5 },
        |response, version| {
            let dir = &response.results[0];
            assert_eq!((response.results.len(), dir.error_code), (1, ErrorCode::NONE), "version {version}");
            assert!(dir.topics.iter().any(|topic| &*topic.name == TOPIC), "version {version}");
            assert_eq!(dir.total_bytes > 0, version >= 4);
            let partition = &dir.topics[0].partitions[0];
            assert_eq!(partition.log_status.is_some(), (2..5).contains(&version), "where it is asked for");
        },
    );
    every_version(
        address,
        asked,
        |_| IncrementalAlterConfigsRequest::default(),
        |response, _| {
            assert!(response.responses.is_empty());
        },
    );
    let grow = |version: i16| {
        let count = 3 + i32::from(version);
        let topics = vec![CreatePartitionsTopic { name: named(TOPIC), count, assignments: None }];
        CreatePartitionsRequest { topics, timeout_ms: 9_000, validate_only: false }
    };
    every_version(address, asked, grow, |response, version| {
        assert_eq!(response.results[0].error_code, ErrorCode::NONE, "version {version}");
    });
    administration(address, asked);
    topics_come_and_go(address, asked);
}

/// Requests from tools for larger clusters, with the answers of a single broker.
fn administration(address: SocketAddr, asked: &mut Vec<ApiKey>) {
    every_version(
        address,
        asked,
        |_| AlterConfigsRequest::default(),
        |response, _| {
            assert!(response.responses.is_empty());
        },
    );
    every_version(
        address,
        asked,
        |_| ListConfigResourcesRequest::default(),
        |response, version| {
            let listed = response.config_resources.iter().any(|resource| &*resource.resource_name == TOPIC);
            assert_eq!((response.error_code, listed), (ErrorCode::NONE, version > 0), "version {version}");
        },
    );
    every_version(
        address,
        asked,
        |_| ElectLeadersRequest::default(),
        |response, version| {
            assert_eq!(response.error_code, ErrorCode::NONE, "version {version}");
        },
    );
    let keep = |_| {
        let partition = ReassignablePartition { partition_index: 0, replicas: Some(vec![1]) };
        let topic = ReassignableTopic { name: named(TOPIC), partitions: vec![partition] };
        AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() }
    };
    every_version(address, asked, keep, |response, version| {
        assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::NONE, "version {version}");
    });
    every_version(
        address,
        asked,
        |_| ListPartitionReassignmentsRequest::default(),
        |response, _| {
            assert_eq!((response.error_code, response.topics.len()), (ErrorCode::NONE, 0));
        },
    );
    let quorum = |topic_name| DescribeQuorumRequest {
        topics: vec![describe_quorum_request::TopicData {
            topic_name,
            partitions: vec![describe_quorum_request::PartitionData { partition_index: 0 }],
        }],
    };
    every_version(
        address,
        asked,
        |_| quorum(named("__cluster_metadata")),
        |response, version| {
            let partition = &response.topics[0].partitions[0];
            assert_eq!(
                (partition.error_code, partition.leader_id),
                (ErrorCode::NONE, 1),
                "version {version}"
            );
            // A record may be on its way to the disk.
            assert!(partition.current_voters[0].log_end_offset >= partition.high_watermark);
            assert!(partition.high_watermark > 0);
            assert_eq!(response.nodes.len(), usize::from(version >= 2));
        },
    );
    let wrong = ask(address, &quorum(named(TOPIC)), 2);
    assert_eq!(wrong.topics[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let producers = |_| {
        let topic =
            describe_producers_request::TopicRequest { name: named(TOPIC), partition_indexes: vec![0, 9, 0] };
        DescribeProducersRequest { topics: vec![topic] }
    };
    every_version(address, asked, producers, |response, _| {
        let partitions = response.topics[0].partitions.iter();
        let codes: Vec<_> = partitions.map(|it| (it.partition_index, it.error_code)).collect();
        assert_eq!(codes, [(0, ErrorCode::NONE), (9, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    });
    nobody_is_authorized(address, asked);
    transactions_fail_at_once(address);
}

/// A transactional producer learns that there is no coordinator, and would not find one later either.
fn transactions_fail_at_once(address: SocketAddr) {
    let find =
        FindCoordinatorRequest { key_type: 1, coordinator_keys: vec![named("t")], ..Default::default() };
    let found = ask(address, &find, 6).coordinators.remove(0);
    let message = "This broker does not serve transactions.";
    assert_eq!(
        (found.error_code, found.error_message.as_deref()),
        (ErrorCode::UNSUPPORTED_VERSION, Some(message))
    );
    let find = FindCoordinatorRequest { key_type: 1, key: named("t"), ..Default::default() };
    let found = ask(address, &find, 3);
    assert_eq!(
        (found.error_code, found.error_message.as_deref()),
        (ErrorCode::UNSUPPORTED_VERSION, Some(message))
    );
    for version in 0..=5 {
        let initialize = InitProducerIdRequest { transactional_id: Some(named("t")), ..Default::default() };
        let answer = ask(address, &initialize, version);
        assert_eq!(
            (answer.error_code, answer.producer_id),
            (ErrorCode::UNSUPPORTED_VERSION, -1),
            "version {version}"
        );
    }
    let find =
        FindCoordinatorRequest { key_type: 2, coordinator_keys: vec![named("s")], ..Default::default() };
    let found = ask(address, &find, 6).coordinators.remove(0);
    assert_eq!(found.error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(found.error_message.as_deref(), Some("This broker does not serve share groups."));
}

fn nobody_is_authorized(address: SocketAddr, asked: &mut Vec<ApiKey>) {
    let disabled = ErrorCode::SECURITY_DISABLED;
    every_version(
        address,
        asked,
        |_| DescribeAclsRequest::default(),
        |response, version| {
            assert_eq!(response.error_code, disabled, "version {version}");
        },
    );
    let create = |_| CreateAclsRequest { creations: vec![AclCreation::default()] };
    every_version(address, asked, create, |response, version| {
        assert_eq!(response.results[0].error_code, disabled, "version {version}");
    });
    let delete = |_| DeleteAclsRequest { filters: vec![DeleteAclsFilter::default()] };
    every_version(address, asked, delete, |response, version| {
        assert_eq!(response.filter_results[0].error_code, disabled, "version {version}");
    });
}

fn topics_come_and_go(address: SocketAddr, asked: &mut Vec<ApiKey>) {
    let create = |_| {
        let topic = CreatableTopic {
            name: named("other"),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 9_000, ..Default::default() }
    };
    let check = |response: CreateTopicsResponse, version| {
        let expected = if version == 2 { ErrorCode::NONE } else { ErrorCode::TOPIC_ALREADY_EXISTS };
        assert_eq!(response.topics[0].error_code, expected, "version {version}");
    };
    every_version(address, asked, create, check);
    let delete = |version: i16| {
        let mut request = DeleteTopicsRequest { timeout_ms: 9_000, ..Default::default() };
        let name = named("other");
        match version {
            6.. => {
                request.topics =
                    vec![delete_topics_request::DeleteTopicState { name: Some(name), ..Default::default() }];
            }
            _ => request.topic_names = vec![name],
        }
        request
    };
    every_version(address, asked, delete, |response, version| {
        let expected = if version == 1 { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
        assert_eq!(response.responses[0].error_code, expected, "version {version}");
    });
}
