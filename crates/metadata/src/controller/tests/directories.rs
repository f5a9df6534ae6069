//! Several log directories on one broker.

use super::*;
use crate::image::NO_LEADER;
use crate::image::directories::{LOST, UNASSIGNED, is_online};
use protocol::messages::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerRegistrationRequest,
};
use protocol::records::PartitionChangeRecord;

const OTHER: Uuid = Uuid([0xe; 16]);

fn two_directories() -> Image {
    let record = RegisterBrokerRecord {
        broker_id: 1,
        fenced: false,
        log_dirs: vec![DIRECTORY, OTHER],
        ..RegisterBrokerRecord::default()
    };
    with(Image::default(), vec![record.into()])
}

fn in_directories(image: &Image, topic: &str) -> Vec<Uuid> {
    image.topic(topic).unwrap().partitions.iter().map(|partition| partition.directory_of(1)).collect()
}

fn leaders(image: &Image) -> Vec<i32> {
    image.topics().iter().flat_map(|topic| &topic.partitions).map(|partition| partition.leader).collect()
}

fn registration(incarnation: u8, log_dirs: &[Uuid]) -> BrokerRegistrationRequest {
    let incarnation_id = Uuid([incarnation; 16]);
    let log_dirs = log_dirs.to_vec();
    BrokerRegistrationRequest { broker_id: 1, incarnation_id, log_dirs, ..Default::default() }
}

#[test]
fn new_partitions_go_where_the_fewest_are() {
    let mut image = two_directories();
    for (name, partitions, expected) in
        [("a", 3, vec![DIRECTORY, OTHER, DIRECTORY]), ("b", 1, vec![OTHER]), ("c", 2, vec![DIRECTORY, OTHER])]
    {
        let topic = CreatableTopic { num_partitions: partitions, ..topic(name) };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let id = Uuid([name.as_bytes()[0]; 16]);
        let (_, records) = controller(&[]).create_topics(&image, &request, || id);
        image = with(image, records);
        assert_eq!(in_directories(&image, name), expected, "{name}");
    }
}

fn assignment(
    broker: i32,
    epoch: i64,
    (topic_id, partition): (Uuid, i32),
    directory: Uuid,
) -> AssignReplicasToDirsRequest {
    Assignment::request(broker, epoch, &[Assignment { topic_id, partition, directory }])
}

/// The error of each partition of an answer that names one directory and one topic.
fn errors(response: &AssignReplicasToDirsResponse) -> Vec<ErrorCode> {
    let topics = response.directories.iter().flat_map(|directory| &directory.topics);
    topics.flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect()
}

#[test]
fn a_replica_that_has_moved_is_noted_once_and_keeps_its_leader_epoch() {
    let registered = two_directories();
    let (_, records) = create(&registered, vec![topic("a")]);
    let image = with(registered, records);
    let topic_id = image.topic("a").unwrap().id;
    let assign = |image: &Image, replica| {
        controller(&[]).assign_replicas_to_dirs(image, &assignment(1, 0, replica, OTHER))
    };
    let (response, records) = assign(&image, (topic_id, 0));
    assert_eq!(errors(&response), [ErrorCode::NONE]);
    let image = with(image, records);
    let partition = image.partition("a", 0).unwrap();
    assert_eq!((partition.directory_of(1), partition.leader, partition.leader_epoch), (OTHER, 1, 0));
    assert_eq!(image.topics().replicas_in(OTHER), 1, "it is counted where it is");
    let (response, records) = assign(&image, (topic_id, 0));
    assert_eq!((errors(&response), records.len()), (vec![ErrorCode::NONE], 0));
}

#[test]
fn an_assignment_that_cannot_be_made_has_kafkas_error() {
    let image = with_topics(&["a"]);
    let topic_id = image.topic("a").unwrap().id;
    let elsewhere = PartitionChangeRecord {
        topic_id,
        partition_id: 0,
        replicas: Some(vec![2]),
        isr: Some(vec![2]),
        leader: 2,
        ..PartitionChangeRecord::default()
    };
    let moved = with(image.clone(), vec![elsewhere.into()]);
    for (image, replica, code) in [
        (&image, (Uuid([9; 16]), 0), ErrorCode::UNKNOWN_TOPIC_ID),
        (&image, (topic_id, 9), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (&moved, (topic_id, 0), ErrorCode::NOT_LEADER_OR_FOLLOWER),
    ] {
        let request = assignment(1, 10, replica, DIRECTORY);
        let (response, records) = controller(&[]).assign_replicas_to_dirs(image, &request);
        assert_eq!((response.error_code, errors(&response), records.len()), (ErrorCode::NONE, vec![code], 0));
    }
    for (broker, epoch) in [(1, 11), (3, 10)] {
        let request = assignment(broker, epoch, (topic_id, 0), DIRECTORY);
        let (response, records) = controller(&[]).assign_replicas_to_dirs(&image, &request);
        assert_eq!((response.error_code, records.len()), (ErrorCode::STALE_BROKER_EPOCH, 0));
    }
}

#[test]
fn a_replica_in_a_directory_that_does_not_work_has_no_leader() {
    let image = with_topics(&["a"]);
    let topic_id = image.topic("a").unwrap().id;
    let request = assignment(1, 10, (topic_id, 0), OTHER);
    let (_, records) = controller(&[]).assign_replicas_to_dirs(&image, &request);
    let partition = with(image, records).partition("a", 0).unwrap().clone();
    assert_eq!((partition.directory_of(1), partition.leader), (OTHER, NO_LEADER));
}

#[test]
fn a_heartbeat_that_asks_for_what_is_not_served_changes_nothing() {
    let heartbeat = BrokerHeartbeatRequest {
        broker_id: 1,
        broker_epoch: 10,
        current_metadata_offset: 10,
        offline_log_dirs: vec![DIRECTORY],
        ..BrokerHeartbeatRequest::default()
    };
    let beat = |request: &_| controller(&[]).broker_heartbeat(&cluster(), request, &mut Office::default(), 0);
    let fence = BrokerHeartbeatRequest { want_fence: true, ..heartbeat.clone() };
    let shut_down = BrokerHeartbeatRequest { want_shut_down: true, ..heartbeat.clone() };
    let stale = BrokerHeartbeatRequest { broker_epoch: 9, ..heartbeat.clone() };
    for (request, code) in [
        (fence, ErrorCode::INVALID_REQUEST),
        (shut_down, ErrorCode::INVALID_REQUEST),
        (stale, ErrorCode::STALE_BROKER_EPOCH),
    ] {
        let (response, records) = beat(&request);
        assert_eq!((response.error_code, records.len()), (code, 0));
    }
    let (response, records) = beat(&heartbeat);
    assert_eq!((response.is_caught_up, response.is_fenced, records.len()), (true, false, 1));
}

#[test]
fn partitions_of_a_failed_directory_have_no_leader_until_it_is_back() {
    let controller = controller(&[]);
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic { num_partitions: 2, ..topic("a") }],
        ..Default::default()
    };
    let (_, records) = controller.create_topics(&two_directories(), &request, ids());
    let image = with(two_directories(), records);

    let heartbeat = BrokerHeartbeatRequest {
        broker_id: 1,
        broker_epoch: 0,
        offline_log_dirs: vec![OTHER],
        ..BrokerHeartbeatRequest::default()
    };
    let (_, records) = controller.broker_heartbeat(&image, &heartbeat, &mut Office::default(), 0);
    let image = with(image, records);
    assert_eq!(leaders(&image), [1, NO_LEADER]);
    let broker = &image.brokers()[&1];
    assert_eq!(broker.log_dirs, [DIRECTORY]);
    let served: Vec<bool> =
        image.topic("a").unwrap().partitions.iter().map(|it| it.is_served_by(broker)).collect();
    assert_eq!(served, [true, false]);
    let (_, records) = controller.broker_heartbeat(&image, &heartbeat, &mut Office::default(), 0);
    assert_eq!(records, [], "it is known");

    // A restart without it changes nothing; one with it brings the leader back, in a later epoch.
    let (_, records) = controller.register_broker(&image, &registration(1, &[DIRECTORY]), |_, _| None);
    let image = with(image, records);
    assert_eq!(leaders(&image), [1, NO_LEADER]);
    let epoch = image.partition("a", 1).unwrap().leader_epoch;
    let (_, records) = controller.register_broker(&image, &registration(2, &[DIRECTORY, OTHER]), |_, _| None);
    let image = with(image, records);
    assert_eq!(leaders(&image), [1, 1]);
    assert_eq!(image.partition("a", 1).unwrap().leader_epoch, epoch + 1);
}

#[test]
fn a_partition_that_was_carried_to_another_directory_is_led_where_it_is_found() {
    let controller = controller(&[]);
    let image = with_topics(&["a"]);
    let found = |topic: &crate::Topic, _| (*topic.name == *"a").then_some(OTHER);
    let (_, records) = controller.register_broker(&image, &registration(1, &[OTHER]), found);
    let image = with(image, records);
    let partition = image.partition("a", 0).unwrap();
    assert_eq!((partition.directory_of(1), partition.leader), (OTHER, 1));
}

#[test]
fn ids_that_are_no_directory() {
    assert!(is_online(UNASSIGNED, &[DIRECTORY]) && is_online(DIRECTORY, &[]));
    assert!(!is_online(LOST, &[DIRECTORY]) && !is_online(OTHER, &[DIRECTORY]));
}
