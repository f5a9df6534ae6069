//! AlterPartitionReassignments, ListPartitionReassignments, ElectLeaders, ListConfigResources.

use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, ElectLeadersRequest, ListConfigResourcesRequest,
    ListPartitionReassignmentsRequest,
};
use protocol::records::{BrokerRegistrationChangeRecord, ConfigRecord, PartitionChangeRecord};

use super::*;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// The error and message of a reassignment of one partition.
fn reassign(image: &Image, name: &str, index: i32, replicas: Option<&[i32]>) -> (ErrorCode, Option<String>) {
    let partition = ReassignablePartition { partition_index: index, replicas: replicas.map(<[i32]>::to_vec) };
    let request = AlterPartitionReassignmentsRequest {
        topics: vec![ReassignableTopic { name: name.into(), partitions: vec![partition] }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let mut response = controller(&[]).alter_partition_reassignments(image, &request);
    let result = response.responses.remove(0).partitions.remove(0);
    assert_eq!(result.partition_index, index);
    (result.error_code, result.error_message.map(|text| text.to_string()))
}

/// The topic `t` with another change of its only partition.
fn changed(change: PartitionChangeRecord) -> Image {
    let image = with_topics(&["other", "t"]);
    let topic_id = image.topic("t").expect("it is there").id;
    with(image, vec![PartitionChangeRecord { topic_id, partition_id: 0, ..change }.into()])
}

#[test]
fn partitions_keep_their_brokers() {
    let image = with(with_topics(&["t"]), vec![broker(2, true)]);
    let (unknown, invalid) = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    assert_eq!(reassign(&image, "t", 0, Some(&[1])), (ErrorCode::NONE, None), "they have it already");
    for (name, index, replicas, code, message) in [
        ("x", 0, Some(&[1][..]), unknown, "Unable to find a topic named x."),
        ("t", 1, Some(&[1]), unknown, "Unable to find partition t:1."),
        (
            "t",
            0,
            Some(&[7]),
            invalid,
            "The manual partition assignment includes broker 7, but no such broker is registered.",
        ),
        ("t", 0, Some(&[]), invalid, "The manual partition assignment includes an empty replica list."),
        (
            "t",
            0,
            Some(&[1, 1]),
            invalid,
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        ("t", 0, Some(&[2]), invalid, "Milena does not move partitions between brokers yet."),
        ("t", 0, Some(&[1, 2]), invalid, "Milena does not move partitions between brokers yet."),
        ("t", 0, None, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, "The partition is not being moved."),
    ] {
        assert_eq!(reassign(&image, name, index, replicas), (code, Some(message.to_owned())));
    }
}

#[test]
fn another_number_of_replicas_may_be_forbidden() {
    let partition = ReassignablePartition { partition_index: 0, replicas: Some(vec![1, 2]) };
    let request = AlterPartitionReassignmentsRequest {
        allow_replication_factor_change: false,
        topics: vec![ReassignableTopic { name: "t".into(), partitions: vec![partition] }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let response = controller(&[]).alter_partition_reassignments(&with_topics(&["t"]), &request);
    assert!(!response.allow_replication_factor_change);
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::INVALID_REPLICATION_FACTOR);
}

#[test]
fn what_another_cluster_began_to_move_is_listed() {
    let list = |image: &Image, topics: Option<Vec<(&str, Vec<i32>)>>| {
        let asked = |(name, partition_indexes): (&str, _)| ListPartitionReassignmentsTopics {
            name: name.into(),
            partition_indexes,
        };
        let topics = topics.map(|topics| topics.into_iter().map(asked).collect());
        let request = ListPartitionReassignmentsRequest { topics, ..Default::default() };
        let topics = controller(&[]).list_partition_reassignments(image, &request).topics;
        let moved = topics.into_iter().flat_map(|topic| {
            let name = topic.name.to_string();
            topic.partitions.into_iter().map(move |it| {
                (name.clone(), it.partition_index, it.replicas, it.adding_replicas, it.removing_replicas)
            })
        });
        moved.collect::<Vec<_>>()
    };
    assert_eq!(list(&with_topics(&["t"]), None), []);
    let image = changed(PartitionChangeRecord {
        replicas: Some(vec![1, 2]),
        adding_replicas: Some(vec![2]),
        ..PartitionChangeRecord::default()
    });
    let expected = [("t".to_owned(), 0, vec![1, 2], vec![2], vec![])];
    assert_eq!(list(&image, None), expected);
    assert_eq!(list(&image, Some(vec![("x", vec![0]), ("t", vec![5, 0, 0])])), expected);
    assert_eq!(list(&image, Some(vec![("t", vec![1]), ("other", vec![0]), ("t", vec![])])), []);
    let (code, _) = reassign(&image, "t", 0, None);
    assert_eq!(code, ErrorCode::INVALID_REPLICA_ASSIGNMENT, "it is not taken back");
}

#[test]
fn elections_find_the_leader_that_is_there() {
    let elect = |image: &Image, election_type, asked: Option<(&str, Vec<i32>)>| {
        let topics =
            |(topic, partitions): (&str, _)| vec![TopicPartitions { topic: topic.into(), partitions }];
        let request =
            ElectLeadersRequest { election_type, topic_partitions: asked.map(topics), ..Default::default() };
        let (response, records) = controller(&[]).elect_leaders(image, &request);
        assert_eq!(records, []);
        assert_eq!(response.error_code, ErrorCode::NONE);
        let results = response.replica_election_results.into_iter();
        let codes = results.map(|topic| {
            let codes = topic.partition_result.iter().map(|it| (it.partition_id, it.error_code)).collect();
            (topic.topic.to_string(), codes)
        });
        codes.collect::<Vec<(String, Vec<(i32, ErrorCode)>)>>()
    };
    let (not_needed, unknown) = (ErrorCode::ELECTION_NOT_NEEDED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let image = with_topics(&["t"]);
    for election in [PREFERRED, UNCLEAN] {
        let found = elect(&image, election, Some(("t", vec![0, 1])));
        assert_eq!(found, [("t".to_owned(), vec![(0, not_needed), (1, unknown)])]);
        assert_eq!(elect(&image, election, None), [("t".to_owned(), vec![])], "none that lacks its leader");
    }
    let without = changed(PartitionChangeRecord { leader: -1, ..PartitionChangeRecord::default() });
    // The directory of its log has failed: it may come back.
    let failed = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: 10,
        log_dirs: vec![Uuid([0xe; 16])],
        ..Default::default()
    };
    let offline = with(without.clone(), vec![failed.into()]);
    for (election, code) in [
        (PREFERRED, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
        (UNCLEAN, ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE),
    ] {
        let expected = [("other".to_owned(), vec![]), ("t".to_owned(), vec![(0, code)])];
        assert_eq!(elect(&offline, election, None), expected);
    }
    let request = ElectLeadersRequest { election_type: 2, ..Default::default() };
    let (refused, _) = controller(&[]).elect_leaders(&image, &request);
    assert_eq!(refused.error_code, ErrorCode::INVALID_REQUEST);
    // Its directory works and nobody leads it: its log is lost, and nothing but an unclean election accepts that.
    for (election_type, code, leads) in
        [(PREFERRED, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, false), (UNCLEAN, ErrorCode::NONE, true)]
    {
        let request = ElectLeadersRequest { election_type, topic_partitions: None, ..Default::default() };
        let (response, records) = controller(&[]).elect_leaders(&without, &request);
        let result = &response.replica_election_results[1].partition_result[0];
        assert_eq!((result.partition_id, result.error_code), (0, code));
        let mut after = without.clone();
        records
            .into_iter()
            .for_each(|record| after.apply(record, &mut crate::Delta::default()).expect("it follows"));
        let (before, after) = (without.partition("t", 0).expect("is"), after.partition("t", 0).expect("is"));
        assert_eq!((after.has_leader(), after.leader_epoch > before.leader_epoch), (leads, leads));
    }
}

#[test]
fn resources_with_settings_are_listed_by_kind() {
    let config = |resource_type, name: &str| {
        MetadataRecord::from(ConfigRecord {
            resource_type,
            resource_name: name.into(),
            name: "setting".into(),
            value: Some("1".into()),
        })
    };
    let set =
        vec![config(16, "metrics"), config(32, "group"), config(2, "a"), config(4, ""), broker(2, true)];
    let image = with(with_topics(&["a", "b"]), set);
    let list = |resource_types: &[i8], version| {
        let request = ListConfigResourcesRequest { resource_types: resource_types.to_vec() };
        let response = controller(&[]).list_config_resources(&image, &request, version);
        let listed = response.config_resources.into_iter();
        let listed = listed.map(|resource| (resource.resource_type, resource.resource_name.to_string()));
        (response.error_code, listed.collect::<Vec<_>>())
    };
    let named = |listed: &[(i8, &str)]| {
        (ErrorCode::NONE, listed.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect::<Vec<_>>())
    };
    assert_eq!(list(&[], 1), named(&[(2, "a"), (2, "b"), (4, "1"), (16, "metrics"), (32, "group")]));
    assert_eq!(list(&[32, 2, 32], 1), named(&[(2, "a"), (2, "b"), (32, "group")]));
    assert_eq!(list(&[8], 1), named(&[]));
    assert_eq!(list(&[], 0), named(&[(16, "metrics")]));
    assert_eq!(list(&[2, 5], 1), (ErrorCode::UNSUPPORTED_VERSION, vec![]));
}
