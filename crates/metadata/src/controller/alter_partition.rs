//! AlterPartition: the leader of a partition proposes another ISR (KIP-497, KIP-841, KIP-903).

use std::collections::BTreeSet;

use protocol::messages::alter_partition_request::PartitionData as AlteredPartition;
use protocol::messages::alter_partition_response::{PartitionData, TopicData};
use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use protocol::records::PartitionChangeRecord;
use protocol::{ErrorCode, Uuid};

use super::brokers::registered;
use super::electorate::Electorate;
use super::partition_change::{RECOVERED, RECOVERING};
use super::{Controller, Decision};
use crate::image::{Image, Partition};
use crate::record::MetadataRecord;

/// The first version that names the epochs of the brokers in the ISR.
const BROKER_EPOCHS_SINCE: i16 = 3;

/// `BrokerEpoch` of a broker whose epoch the leader does not know: it is not checked.
const ANY_EPOCH: i64 = -1;

/// A replica of a proposed ISR and the epoch in which the leader knows its broker.
type IsrMember = (i32, i64);

impl Controller {
    /// Decides the ISRs that a broker proposes for partitions that it leads. `version` is that of the request.
    pub fn alter_partition(
        &self,
        image: &Image,
        request: &AlterPartitionRequest,
        version: i16,
    ) -> Decision<AlterPartitionResponse> {
        if let Err(error_code) = registered(image, request.broker_id, request.broker_epoch) {
            return (AlterPartitionResponse { error_code, ..Default::default() }, Vec::new());
        }
        let mut records = Vec::new();
        let mut seen = BTreeSet::new();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let is_new = seen.insert((topic.topic_id, asked.partition_index));
                let altered = match is_new {
                    true => self.alter_isr(image, request.broker_id, (topic.topic_id, asked), version),
                    // Two proposals would build on the same state.
                    false => Err(ErrorCode::INVALID_REQUEST),
                };
                altered.map_or_else(
                    |error_code| failed(asked.partition_index, error_code),
                    |(answer, record)| {
                        records.extend(record);
                        answer
                    },
                )
            });
            TopicData { topic_id: topic.topic_id, partitions: partitions.collect() }
        });
        let topics = topics.collect();
        (AlterPartitionResponse { topics, ..AlterPartitionResponse::default() }, records)
    }

    /// Decides one proposal. A new leader is an error that changes something: the broker that asked must hear of it.
    fn alter_isr(
        &self,
        image: &Image,
        leader: i32,
        (topic_id, asked): (Uuid, &AlteredPartition),
        version: i16,
    ) -> Result<(PartitionData, Option<MetadataRecord>), ErrorCode> {
        let partition_id = asked.partition_index;
        let topic = image.topic_by_id(topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let partition = topic.partition(partition_id).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let members: Vec<IsrMember> = if version < BROKER_EPOCHS_SINCE {
            asked.new_isr.iter().map(|broker| (*broker, ANY_EPOCH)).collect()
        } else {
            asked.new_isr_with_epochs.iter().map(|member| (member.broker_id, member.broker_epoch)).collect()
        };
        check_epochs(partition, leader, asked)?;
        check_isr(partition, &members, asked.leader_recovery_state)?;
        if members.iter().any(|member| !is_eligible(image, *member)) {
            return Err(ErrorCode::INELIGIBLE_REPLICA);
        }
        let isr = members.iter().map(|(broker, _)| *broker).collect();
        let decided =
            self.change_partition(&Electorate::new(image), (topic, partition_id, partition), |change| {
                change.with_isr(isr).with_leader_recovery_state(asked.leader_recovery_state)
            });
        let mut after = (**partition).clone();
        if let Some(MetadataRecord::PartitionChange(change)) = &decided {
            let leads_on = [PartitionChangeRecord::default().leader, leader].contains(&change.leader);
            if !leads_on {
                return Ok((failed(partition_id, ErrorCode::NEW_LEADER_ELECTED), decided));
            }
            after.change(change.clone());
        }
        let answer = PartitionData {
            partition_index: partition_id,
            error_code: ErrorCode::NONE,
            leader_id: after.leader,
            leader_epoch: after.leader_epoch,
            isr: after.isr.to_vec(),
            leader_recovery_state: after.leader_recovery_state,
            partition_epoch: after.partition_epoch,
        };
        Ok((answer, decided))
    }
}

fn failed(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData { partition_index, error_code, ..PartitionData::default() }
}

/// Checks that the proposal builds on the present state. If the leader knows a later one, this controller is deposed.
fn check_epochs(partition: &Partition, leader: i32, asked: &AlteredPartition) -> Result<(), ErrorCode> {
    if asked.leader_epoch > partition.leader_epoch || asked.partition_epoch > partition.partition_epoch {
        return Err(ErrorCode::NOT_CONTROLLER);
    }
    if asked.leader_epoch < partition.leader_epoch {
        return Err(ErrorCode::FENCED_LEADER_EPOCH);
    }
    if leader != partition.leader {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if asked.partition_epoch < partition.partition_epoch {
        return Err(ErrorCode::INVALID_UPDATE_VERSION);
    }
    Ok(())
}

/// Checks that the members are distinct replicas, the leader among them, and alone while it recovers.
fn check_isr(partition: &Partition, members: &[IsrMember], recovery_state: i8) -> Result<(), ErrorCode> {
    let brokers: BTreeSet<i32> = members.iter().map(|(broker, _)| *broker).collect();
    let is_isr = brokers.len() == members.len()
        && brokers.iter().all(|broker| partition.replicas.contains(broker))
        && brokers.contains(&partition.leader);
    let is_recovery = match recovery_state {
        RECOVERED => true,
        // The leader does not return to this state by itself.
        RECOVERING => members.len() == 1 && partition.leader_recovery_state == RECOVERING,
        _ => false,
    };
    if is_isr && is_recovery { Ok(()) } else { Err(ErrorCode::INVALID_REQUEST) }
}

/// Whether a broker may be in an ISR: it is active, and it is the incarnation that the leader has seen. Otherwise it may
/// have lost records since (KIP-903).
fn is_eligible(image: &Image, (broker, epoch): IsrMember) -> bool {
    image.brokers().get(&broker).is_some_and(|registration| {
        !registration.in_controlled_shutdown
            && !registration.fenced
            && (epoch == ANY_EPOCH || epoch == registration.broker_epoch)
    })
}
