//! Several log directories on one broker.

use super::*;
use crate::image::NO_LEADER;
use crate::image::directories::{LOST, UNASSIGNED, is_online};
use protocol::messages::BrokerRegistrationRequest;

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

#[test]
fn a_replica_that_has_moved_is_noted_once_and_keeps_its_leader_epoch() {
    let image = with_topics(&["a"]);
    let topic_id = image.topic("a").unwrap().id;
    let moved = |partition| Assignment { topic_id, partition, directory: OTHER };
    let records = controller(&[]).assign_replicas_to_dirs(&image, 1, &[moved(0), moved(9)]);
    let image = with(image, records);
    let partition = image.partition("a", 0).unwrap();
    assert_eq!((partition.directory_of(1), partition.leader, partition.leader_epoch), (OTHER, 1, 0));
    assert_eq!(image.topics().replicas_in(OTHER), 1, "it is counted where it is");
    assert!(controller(&[]).assign_replicas_to_dirs(&image, 1, &[moved(0)]).is_empty());
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

    let records = controller.directories_offline(&image, 1, &[DIRECTORY]);
    let image = with(image, records);
    assert_eq!(leaders(&image), [1, NO_LEADER]);
    let broker = &image.brokers()[&1];
    assert_eq!(broker.log_dirs, [DIRECTORY]);
    let served: Vec<bool> =
        image.topic("a").unwrap().partitions.iter().map(|it| it.is_served_by(broker)).collect();
    assert_eq!(served, [true, false]);
    assert!(controller.directories_offline(&image, 1, &[DIRECTORY]).is_empty(), "it is known");

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
