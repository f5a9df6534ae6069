//! AlterPartition.

use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse, alter_partition_response};
use protocol::records::{
    BrokerRegistrationChangeRecord, PartitionChangeRecord, PartitionRecord, TopicRecord,
};

use super::*;

const TOPIC: Uuid = Uuid([7; 16]);

/// Brokers 1, 2, 3 and 4 in the epochs 10, 20, 30 and 40, and a partition that 1 leads and that all but 4 have, in leader
/// epoch 5 and partition epoch 9.
fn led() -> Image {
    let partition = PartitionRecord {
        topic_id: TOPIC,
        partition_id: 0,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 5,
        partition_epoch: 9,
        ..PartitionRecord::default()
    };
    let topic = TopicRecord { name: "t".into(), topic_id: TOPIC };
    let brokers = (1..=4).map(|id| broker_in(id, Uuid([u8::try_from(id).expect("few"); 16])));
    with(Image::default(), brokers.chain([topic.into(), partition.into()]).collect())
}

fn proposal(members: &[(i32, i64)]) -> PartitionData {
    let member = |(broker_id, broker_epoch): &(i32, i64)| BrokerState {
        broker_id: *broker_id,
        broker_epoch: *broker_epoch,
    };
    PartitionData {
        partition_index: 0,
        leader_epoch: 5,
        partition_epoch: 9,
        new_isr_with_epochs: members.iter().map(member).collect(),
        ..PartitionData::default()
    }
}

fn ask(image: &Image, partitions: Vec<PartitionData>) -> Decision<AlterPartitionResponse> {
    let topics = vec![TopicData { topic_id: TOPIC, partitions }];
    let request = AlterPartitionRequest { broker_id: 1, broker_epoch: 10, topics };
    controller(&[]).alter_partition(image, &request, 3)
}

/// The answer for the only partition.
fn answer(
    image: &Image,
    proposal: PartitionData,
) -> (alter_partition_response::PartitionData, Vec<MetadataRecord>) {
    let (mut response, records) = ask(image, vec![proposal]);
    assert_eq!(response.error_code, ErrorCode::NONE);
    (response.topics.remove(0).partitions.remove(0), records)
}

#[test]
fn a_leader_shrinks_and_expands_its_isr() {
    let mut image = led();
    for (members, partition_epoch) in
        [(&[(1, 10)][..], 10), (&[(1, -1), (3, 30)], 11), (&[(2, 20), (1, 10), (3, 30)], 12)]
    {
        let proposal = PartitionData { partition_epoch: partition_epoch - 1, ..proposal(members) };
        let (answer, records) = answer(&image, proposal);
        let isr: Vec<i32> = members.iter().map(|(broker, _)| *broker).collect();
        assert_eq!((answer.error_code, &answer.isr), (ErrorCode::NONE, &isr));
        assert_eq!((answer.leader_id, answer.leader_epoch, answer.partition_epoch), (1, 5, partition_epoch));
        image = with(image, records);
        let partition = image.partition("t", 0).expect("it is there");
        assert_eq!((&*partition.isr, partition.partition_epoch), (&*isr, partition_epoch));
    }
    // A proposal of what is so changes nothing.
    let proposal = PartitionData { partition_epoch: 12, ..proposal(&[(2, 20), (1, 10), (3, 30)]) };
    let (answer, records) = answer(&image, proposal);
    assert_eq!((answer.error_code, answer.partition_epoch, records.len()), (ErrorCode::NONE, 12, 0));
}

#[test]
fn version_2_has_no_broker_epochs() {
    let proposal = PartitionData { new_isr: vec![1, 2, 3], ..proposal(&[]) };
    let topics = vec![TopicData { topic_id: TOPIC, partitions: vec![proposal] }];
    let request = AlterPartitionRequest { broker_id: 1, broker_epoch: 10, topics };
    let (response, records) = controller(&[]).alter_partition(&led(), &request, 2);
    assert_eq!((&*response.topics[0].partitions[0].isr, records.len()), (&[1, 2, 3][..], 1));
}

#[test]
fn a_proposal_that_cannot_be_has_kafkas_error() {
    let fine = proposal(&[(1, 10)]);
    let invalid = ErrorCode::INVALID_REQUEST;
    for (proposal, code) in [
        (PartitionData { partition_index: 1, ..fine.clone() }, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (PartitionData { leader_epoch: 6, ..fine.clone() }, ErrorCode::NOT_CONTROLLER),
        (PartitionData { partition_epoch: 10, ..fine.clone() }, ErrorCode::NOT_CONTROLLER),
        (PartitionData { leader_epoch: 4, ..fine.clone() }, ErrorCode::FENCED_LEADER_EPOCH),
        (PartitionData { partition_epoch: 8, ..fine.clone() }, ErrorCode::INVALID_UPDATE_VERSION),
        (proposal(&[]), invalid),
        (proposal(&[(2, 20)]), invalid),
        (proposal(&[(1, 10), (1, 10)]), invalid),
        (proposal(&[(1, 10), (4, 40)]), invalid),
        (PartitionData { leader_recovery_state: 1, ..fine.clone() }, invalid),
        (PartitionData { leader_recovery_state: 2, ..fine.clone() }, invalid),
        (proposal(&[(1, 10), (3, 29)]), ErrorCode::INELIGIBLE_REPLICA),
        (proposal(&[(1, 10), (3, 31)]), ErrorCode::INELIGIBLE_REPLICA),
    ] {
        let (answer, records) = answer(&led(), proposal.clone());
        assert_eq!((answer.error_code, records.len()), (code, 0), "{proposal:?}");
    }
    let twice = ask(&led(), vec![fine.clone(), proposal(&[(1, 10), (3, 30)])]);
    let codes: Vec<ErrorCode> = twice.0.topics[0].partitions.iter().map(|it| it.error_code).collect();
    assert_eq!((codes, twice.1.len()), (vec![ErrorCode::NONE, invalid], 1));
    for (broker_id, broker_epoch, topic_id, whole, code) in [
        (1, 9, TOPIC, ErrorCode::STALE_BROKER_EPOCH, None),
        (5, 50, TOPIC, ErrorCode::STALE_BROKER_EPOCH, None),
        (2, 20, TOPIC, ErrorCode::NONE, Some(invalid)),
        (1, 10, Uuid([9; 16]), ErrorCode::NONE, Some(ErrorCode::UNKNOWN_TOPIC_ID)),
        (1, 10, Uuid::ZERO, ErrorCode::NONE, Some(ErrorCode::UNKNOWN_TOPIC_ID)),
    ] {
        let topics = vec![TopicData { topic_id, partitions: vec![fine.clone()] }];
        let request = AlterPartitionRequest { broker_id, broker_epoch, topics };
        let (response, records) = controller(&[]).alter_partition(&led(), &request, 3);
        let partition = response.topics.first().map(|topic| topic.partitions[0].error_code);
        assert_eq!((response.error_code, partition, records.len()), (whole, code, 0));
    }
}

#[test]
fn brokers_that_leave_do_not_come_into_the_isr() {
    let change = BrokerRegistrationChangeRecord { broker_id: 3, broker_epoch: 30, ..Default::default() };
    let fenced = BrokerRegistrationChangeRecord { fenced: 1, ..change.clone() };
    let leaving = BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change };
    for change in [fenced, leaving] {
        let image = with(led(), vec![change.into()]);
        for epoch in [30, -1] {
            let (answer, records) = answer(&image, proposal(&[(1, 10), (3, epoch)]));
            assert_eq!((answer.error_code, records.len()), (ErrorCode::INELIGIBLE_REPLICA, 0));
        }
    }
}

#[test]
fn a_leader_recovers_from_an_unclean_election_before_others_are_in_sync() {
    let recovering =
        PartitionChangeRecord { isr: Some(vec![1]), leader_recovery_state: 1, ..Default::default() };
    let recovering = PartitionChangeRecord { topic_id: TOPIC, partition_id: 0, ..recovering };
    let image = with(led(), vec![recovering.into()]);
    let both =
        PartitionData { partition_epoch: 10, leader_recovery_state: 1, ..proposal(&[(1, 10), (2, 20)]) };
    assert_eq!(answer(&image, both.clone()).0.error_code, ErrorCode::INVALID_REQUEST);
    let (answer, records) = answer(&image, PartitionData { leader_recovery_state: 0, ..both });
    assert_eq!((answer.error_code, answer.leader_recovery_state), (ErrorCode::NONE, 0));
    assert_eq!(with(image, records).partition("t", 0).expect("it is there").leader_recovery_state, 0);
}

#[test]
fn a_change_that_brings_another_leader_is_made_and_said() {
    // The directory of the leader's replica has failed, and the request was on its way.
    let failed = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: 10,
        log_dirs: vec![Uuid([0xe; 16])],
        ..Default::default()
    };
    let directories = Some([1, 2, 3].map(|id| Uuid([id; 16])).to_vec());
    let placed =
        PartitionChangeRecord { topic_id: TOPIC, partition_id: 0, directories, ..Default::default() };
    let image = with(led(), vec![placed.into(), failed.into()]);
    let (answer, records) =
        answer(&image, PartitionData { partition_epoch: 10, ..proposal(&[(1, 10), (2, 20)]) });
    assert_eq!((answer.error_code, records.len()), (ErrorCode::NEW_LEADER_ELECTED, 1));
    assert_eq!(with(image, records).partition("t", 0).expect("it is there").leader, 2);
}
